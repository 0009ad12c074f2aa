// A guest with a server of its own and an honest one, after a secret that goes to the honest one:
// by what it sees of answers that hold a guess, and by answers that it has cut. Every case is in
// src/host/egress_secrets_test.cc and src/host/scrubber_test.cc.

#include <fmt/format.h>

#include <mutex>

#include "network_attack.h"

namespace belljar::attacks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::string_view secret = "sk-Tr0ub4dor-3-and-more";

class OracleAttack : public NetworkAttack {
 protected:
  OracleAttack() {
    const CommandResult result = run({"secret", "set", "key"}, std::string(secret) + "\n");
    EXPECT_EQ(result.code, 0) << result.err;
  }

  /// Two hosts on one port: the secret goes to localhost alone.
  std::unique_ptr<Server> serve_both() const {
    return serve_fetch(allow(origin("localhost")) + allow(origin("evil.test")),
                       "  secrets:\n    allow: [{name: key, host: localhost, bearer: true}]\n");
  }
  std::string origin(std::string_view host) const {
    return fmt::format("http://{}:{}", host, server_.port());
  }
  /// What the guest gets of an answer that is this text.
  Json ask(Server& server, std::string_view host, std::string answer,
           Json headers = Json::array()) {
    {
      const std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
      asked_.clear();
    }
    return server.call("fetch_request",
                       {{"request", {{"url", origin(host)}, {"headers", std::move(headers)}}}});
  }
  std::string asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  std::mutex mutex_;
  std::string answer_;
  std::string asked_;
  RawServer server_{[this](const Connection& connection) {
    std::string request = connection.request();
    if (request.empty()) return;
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      asked_ = std::move(request);
      answer = answer_;
    }
    for (const char c : answer) {
      if (!connection.send({&c, 1})) return;
    }
  }};
};

using A77 = OracleAttack;
using A78 = OracleAttack;

std::string whole(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

TEST_F(A77, AServerOfTheGuestsOwnLearnsNothingByGuessing) {
  const auto server = serve_both();
  // Each character by itself: what the guest sees of a guess that is right so far is what it sees
  // of one that is not.
  for (std::size_t right = 0; right <= secret.size(); ++right) {
    const std::string guess(secret.substr(0, right));
    const Json result = ask(*server, "evil.test", whole(guess + "~"));
    ASSERT_FALSE(is_error(result)) << result;
    EXPECT_THAT(text_of(result), HasSubstr(guess + "~"));
    EXPECT_THAT(asked(), Not(HasSubstr("uthorization")));
    const auto broken = [&](const std::string& text) {
      return ask(*server, "evil.test",
                 fmt::format("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", text));
    };
    EXPECT_EQ(broken(guess), broken(std::string(right, '?'))) << right << " characters are right";
  }
  expect_unharmed(*server);
}

TEST_F(A77, AnHonestServerThatRepeatsAGuessTellsNothingUntilItIsWhole) {
  const auto server = serve_both();
  for (std::size_t right = 0; right < secret.size(); ++right) {
    const std::string guess =
        std::string(secret.substr(0, right)) + std::string(secret.size() - right, '?');
    const Json result = ask(*server, "localhost", whole(guess));
    ASSERT_FALSE(is_error(result)) << result;
    EXPECT_THAT(text_of(result), HasSubstr(guess));
    EXPECT_THAT(asked(), HasSubstr(fmt::format("Bearer {}\r\n", secret)));
  }
  const Json result = ask(*server, "localhost", whole(secret));
  EXPECT_THAT(text_of(result), HasSubstr(std::string(secret.size(), '*')));
  expect_record({{"kind", "use"}, {"permission", "secret"}, {"what", "key"}});
  expect_unharmed(*server);
}

TEST_F(A78, AnAnswerIsNotAskedForInParts) {
  const auto server = serve_both();
  for (const char* const name : {"Range", "If-Range", "Request-Range", "X-Ms-Range",
                                 "Accept-Charset", "A-IM", "Want-Repr-Digest"}) {
    const Json headers = {{{"name", name}, {"value", "bytes=0-7"}}};
    const Json result = ask(*server, "localhost", whole(secret.substr(0, 8)), headers);
    EXPECT_TRUE(is_error(result)) << name << ": " << result;
    EXPECT_THAT(asked(), IsEmpty()) << name << " was sent";
    const Json other = ask(*server, "evil.test", whole("a part"), headers);
    EXPECT_THAT(text_of(other), HasSubstr("a part")) << name;
  }
  const Json record = expect_record({{"kind", "refusal"}, {"component", "fetch"}});
  EXPECT_THAT(record.value("reason", ""), HasSubstr("where a secret goes out"));
  expect_unharmed(*server);
}

TEST_F(A78, PartsAndEncodingsThatNobodyAskedForAreNotLetThrough) {
  const auto server = serve_both();
  const std::string part(secret.substr(0, 8));
  for (const std::string head :
       {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-7/23\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/byteranges; boundary=x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-16\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n"}) {
    const std::string answer = fmt::format("{}Content-Length: 8\r\n\r\n{}", head, part);
    const Json result = ask(*server, "localhost", answer);
    EXPECT_TRUE(is_error(result)) << head << result;
    EXPECT_THAT(result.dump(), Not(HasSubstr(part))) << head;
  }
  const Json record = expect_record({{"kind", "refusal"}, {"component", "fetch"}});
  EXPECT_THAT(record.value("reason", ""), HasSubstr("looked through for secrets"));
  // In a trailer, or in a header that goes on in the next line.
  for (const std::string& answer :
       {fmt::format("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
                    "5\r\nhello\r\n0\r\nX: {}\r\n\r\n",
                    secret),
        fmt::format("HTTP/1.1 200 OK\r\nX: {}\r\n {}\r\nContent-Length: 0\r\n\r\n",
                    secret.substr(0, 10), secret.substr(10))}) {
    EXPECT_THAT(ask(*server, "localhost", answer).dump(),
                Not(HasSubstr(std::string(secret.substr(0, 10)))));
  }
  expect_unharmed(*server);
}

}  // namespace
}  // namespace belljar::attacks
