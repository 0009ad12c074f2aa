// A guest with one server that works for it and one that is honest, after a secret that goes to the
// honest one alone.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>

#include "host/testing/network.h"
#include "support/crypto.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;
using testing::Connection;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Network;
using ::testing::Not;
using testing::PolicyPrincipal;
using testing::RawServer;
using testing::Response;

constexpr std::string_view secret = "sk-Tr0ub4dor-3-and-more";

/// Two hosts on one server, which says what the path asks it to say.
class EgressSecretsTest : public ::testing::Test {
 protected:
  EgressSecretsTest() {
    principal_ = std::make_shared<PolicyPrincipal>(
        fmt::format("version: \"1.1\"\npermissions:\n  network:\n    allow:\n"
                    "      - host: \"http://honest.test:{0}\"\n"
                    "      - host: \"http://evil.test:{0}\"\n"
                    "      - cidr: 127.0.0.1/32\n",
                    server_.port()));
    principal_->bind({"key", policy::SecretPlace::bearer, {}, std::string(secret), "honest.test"});
  }

  std::string authority(std::string_view host) const {
    return fmt::format("{}:{}", host, server_.port());
  }
  /// The answer to a request, whose text the server sends as it stands.
  Response ask(std::string_view host, std::string answer,
               std::vector<engine::HttpHeader> headers = {}) {
    {
      const std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
    }
    engine::HttpRequest request = Network::get(authority(host));
    request.headers = std::move(headers);
    return network_.fetch(principal_, request);
  }
  std::string asked() {
    const std::lock_guard lock(mutex_);
    return request_;
  }
  std::size_t requests() const { return requests_; }

  std::mutex mutex_;
  std::string answer_;
  std::string request_;
  std::atomic<std::size_t> requests_ = 0;
  RawServer server_{[this](const Connection& connection) {
    std::string request = connection.request();
    if (request.empty()) return;
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      request_ = std::move(request);
      ++requests_;
      answer = answer_;
    }
    // A piece at a time, so that each is seen by itself.
    for (const char c : answer) {
      if (!connection.send({&c, 1})) return;
    }
  }};
  Network network_;
  std::shared_ptr<PolicyPrincipal> principal_;
};

/// What a guest can see of an answer.
struct Seen {
  int status;
  std::string body;
  bool ended;
  std::optional<HttpFailure> failure;
  std::string message;
  friend bool operator==(const Seen&, const Seen&) = default;
};
Seen seen(const Response& response) {
  return {response.status, response.body, response.ended, response.failure, response.message};
}

std::string whole(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}
/// An answer that ends before it is whole.
std::string broken(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size() + 100, body);
}

TEST_F(EgressSecretsTest, A77AServerThatNeverGotTheSecretLearnsNothingByGuessing) {
  for (std::size_t right = 0; right <= secret.size(); ++right) {
    const std::string guess(secret.substr(0, right));
    EXPECT_EQ(seen(ask("evil.test", whole(guess))), (Seen{200, guess, true, std::nullopt, ""}));
    const Response cut = ask("evil.test", broken(guess));
    EXPECT_EQ(cut.body, guess) << "a guess that is right so far was held back";
    EXPECT_EQ(cut.failure, HttpFailure::connection_terminated);
  }
  // In a header, too.
  const Response header = ask("evil.test", fmt::format("HTTP/1.1 200 OK\r\nX-Guess: {}\r\n"
                                                       "Content-Length: 0\r\n\r\n",
                                                       secret));
  EXPECT_EQ(header.header("x-guess"), secret);
}

TEST_F(EgressSecretsTest, A77AnHonestServerThatRepeatsGuessesTellsNothingUntilOneIsWhole) {
  const std::size_t size = secret.size();
  for (std::size_t right = 0; right < size; ++right) {
    const std::string guess = std::string(secret.substr(0, right)) + std::string(size - right, '?');
    EXPECT_EQ(seen(ask("honest.test", whole(guess))), (Seen{200, guess, true, std::nullopt, ""}));
    const Response cut = ask("honest.test", broken(std::string(200, '.') + guess));
    const Response other =
        ask("honest.test", broken(std::string(200, '.') + std::string(size, '?')));
    EXPECT_EQ(cut.body.size(), other.body.size()) << right << " characters are right";
    EXPECT_EQ(seen(cut), seen(other));
  }
  EXPECT_EQ(ask("honest.test", whole(secret)).body, std::string(size, '*'));
}

TEST_F(EgressSecretsTest, A77AnAnswerThatIsCutGivesNoPartOfTheSecret) {
  const std::string text = std::string(200, '.') + std::string(secret) + std::string(200, '.');
  const std::string hidden = ask("honest.test", whole(text)).body;
  ASSERT_THAT(hidden, Not(HasSubstr("sk-")));
  for (std::size_t cut = 195; cut < 200 + secret.size(); ++cut) {
    const Response response = ask("honest.test", broken(text.substr(0, cut)));
    EXPECT_TRUE(hidden.starts_with(response.body)) << response.body;
    EXPECT_TRUE(response.failure);
  }
}

TEST_F(EgressSecretsTest, A77ALimitThatCutsAnAnswerGivesNoPartOfTheSecretEither) {
  const std::string to = authority("honest.test");
  for (std::size_t part = 1; part < secret.size(); ++part) {
    const auto principal = std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to) +
                                                             "  resources: {response: 1Ki}\n");
    principal->bind({"key", policy::SecretPlace::bearer, {}, std::string(secret), "honest.test"});
    {
      const std::lock_guard lock(mutex_);
      answer_ = whole(std::string(1'024 - part, '.') + std::string(secret) + std::string(99, '.'));
    }
    const Response response = network_.fetch(principal, Network::get(to));
    EXPECT_EQ(response.failure, HttpFailure::response_too_large);
    EXPECT_THAT(response.body, Not(HasSubstr("s"))) << "cut in the middle of the secret";
  }
}

TEST_F(EgressSecretsTest, A52WhatWentToAServerStaysHiddenInItsAnswers) {
  ASSERT_EQ(ask("honest.test", whole(secret)).body, std::string(secret.size(), '*'));
  principal_->unbind();
  EXPECT_EQ(ask("honest.test", whole(secret)).body, std::string(secret.size(), '*'))
      << "it was taken back, and the server may have kept it";
  EXPECT_THAT(asked(), Not(HasSubstr(std::string(secret))));
  EXPECT_EQ(ask("evil.test", whole(secret)).body, secret);
}

TEST_F(EgressSecretsTest, A78NoPartsAreAskedForWhereASecretGoesOut) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"Range", "bytes=0-7"},
                                                        {"If-Range", "\"tag\""},
                                                        {"Request-Range", "bytes=0-7"},
                                                        {"X-Ms-Range", "bytes=0-7"},
                                                        {"Accept-Charset", "utf-16"},
                                                        {"A-IM", "range"},
                                                        {"Accept", "text/plain; charset=utf-16"}}) {
    const std::size_t before = requests();
    const Response response = ask("honest.test", whole("text"), {{name, value}});
    EXPECT_EQ(response.failure, HttpFailure::denied) << name;
    EXPECT_THAT(response.message, HasSubstr("where a secret goes out")) << name;
    EXPECT_THAT(principal_->refusals().back(), HasSubstr("where a secret goes out")) << name;
    EXPECT_EQ(requests(), before) << name << " was sent";
    // A server that gets no secret may be asked for whatever it likes to give.
    EXPECT_EQ(ask("evil.test", whole("text"), {{name, value}}).body, "text") << name;
  }
}

TEST_F(EgressSecretsTest, A78PartsThatNobodyAskedForAreNotLetThrough) {
  const std::string part(secret.substr(0, 8));
  for (const std::string head : {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-7/23\r\n",
                                 "HTTP/1.1 206 Partial Content\r\n",
                                 "HTTP/1.1 200 OK\r\nContent-Type: multipart/byteranges\r\n",
                                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-16\r\n",
                                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"}) {
    const std::string answer = fmt::format("{}Content-Length: 8\r\n\r\n{}", head, part);
    const Response response = ask("honest.test", answer);
    EXPECT_EQ(response.failure, HttpFailure::protocol) << head;
    EXPECT_EQ(response.body, "") << head;
    EXPECT_EQ(response.status, 0) << head;
    EXPECT_THAT(principal_->refusals().back(), HasSubstr("looked through for secrets")) << head;
    EXPECT_EQ(ask("evil.test", answer).body, part) << head;
  }
}

TEST_F(EgressSecretsTest, A78AHeaderThatIsFoldedIsNotTwoTexts) {
  const Response response = ask(
      "honest.test", fmt::format("HTTP/1.1 200 OK\r\nX-Key: {}\r\n {}\r\nContent-Length: 0\r\n\r\n",
                                 secret.substr(0, 10), secret.substr(10)));
  EXPECT_EQ(response.failure, HttpFailure::protocol);
  EXPECT_EQ(response.status, 0);
}

TEST_F(EgressSecretsTest, A78TrailersAreNotHandedOn) {
  const Response response =
      ask("honest.test",
          fmt::format("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
                      "5\r\nhello\r\n0\r\nX: {}\r\n\r\n",
                      secret));
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.header("x"), "");
  EXPECT_TRUE(response.ended) << response.message;
}

TEST_F(EgressSecretsTest, A52TheGuestsHeadersOfTheSameNameDoNotGoOutInAnySpelling) {
  principal_->unbind();
  principal_->bind(
      {"key", policy::SecretPlace::header, "X-Api-Key", std::string(secret), "honest.test"});
  static_cast<void>(ask("honest.test", whole(""), {{"x_api_key", "mine"}, {"X-API-KEY", "mine"}}));
  EXPECT_THAT(asked(), HasSubstr(fmt::format("X-Api-Key: {}\r\n", secret)));
  EXPECT_THAT(asked(), Not(HasSubstr("mine")));
}

TEST(EgressSecretsNameTest, ASecretGoesOverHttpToThisMachineWhateverItsNameHas) {
  RawServer server(RawServer::answering(whole(""), nullptr, nullptr));
  // "this.test" passes for this machine, and its addresses are not all of it.
  for (const bool also_here : {false, true}) {
    Network network({}, [&](const std::string&) {
      std::vector<policy::Address> addresses{*policy::Address::parse("9.9.9.9")};
      if (also_here) addresses.push_back(*policy::Address::parse("127.0.0.1"));
      return addresses;
    });
    const std::string to = fmt::format("this.test:{}", server.port());
    const auto principal = std::make_shared<PolicyPrincipal>(Network::policy_for("http://" + to));
    principal->bind({"key", policy::SecretPlace::bearer, {}, std::string(secret), {}});
    const Response response = network.fetch(principal, Network::get(to));
    EXPECT_EQ(response.status, also_here ? 200 : 0);
    if (also_here) continue;
    EXPECT_EQ(response.failure, HttpFailure::denied);
    EXPECT_THAT(principal->refusals(), ElementsAre(HasSubstr("to this machine only")));
  }
}

}  // namespace
}  // namespace belljar::host
