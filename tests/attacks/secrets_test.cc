// A guest, and a server that it talks to, after a credential that neither was given. Every form in
// which one is recognised is in src/host/scrubber_test.cc.

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <tuple>
#include <utility>

#include "network_attack.h"
#include "support/crypto.h"

namespace belljar::attacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view secret = "sk-Tr0ub4dor/3+and=more";

std::string hex(std::string_view text) {
  return to_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

class SecretAttack : public NetworkAttack {
 protected:
  SecretAttack() {
    const CommandResult result = run({"secret", "set", "key"}, std::string(secret) + "\n");
    EXPECT_EQ(result.code, 0) << result.err;
  }

  std::string origin(std::string_view host, const RawServer& server) const {
    return fmt::format("http://{}:{}", host, server.port());
  }
  /// A server whose guest may talk to two hosts, with the secret bound to localhost.
  std::unique_ptr<Server> serve_with_secret(const RawServer& peer) const {
    return serve_fetch(allow(origin("localhost", peer)) + allow(origin("b.test", peer)),
                       "  secrets:\n    allow: [{name: key, host: localhost, bearer: true}]\n");
  }

  /// Nothing that is kept or was said has the secret in any form.
  void expect_nowhere(Server& server, const std::string& said) {
    std::string all = said + server.child().err() + server.child().out();
    for (const Json& record : audit_log()) all += record.dump();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
    EXPECT_THAT(all, Not(HasSubstr(std::string(secret))));
    EXPECT_THAT(all, Not(HasSubstr("Tr0ub4dor")));
    EXPECT_THAT(all, Not(HasSubstr(hex("Tr0ub4dor"))));
    for (const std::size_t before : {0U, 1U, 2U}) {
      const std::string encoded = to_base64(std::string(before, 'x') + std::string(secret));
      EXPECT_THAT(all, Not(HasSubstr(encoded.substr(4, 20)))) << "base64 behind " << before;
    }
  }
};

using A52 = SecretAttack;
using A53 = SecretAttack;
using A54 = SecretAttack;
using A55 = SecretAttack;

TEST_F(A52, AServerThatSendsTheCredentialBackDoesNotHandItToTheGuest) {
  std::mutex mutex;
  std::vector<std::string> requests;
  RawServer reflecting([&](const Connection& connection) {
    while (true) {
      const std::string request = connection.request();
      if (request.empty()) return;
      const std::lock_guard lock(mutex);
      requests.push_back(request);
      // Only what it got: an answer of one that did not is nobody's secret.
      const bool got_it = request.find(secret) != std::string::npos;
      connection.send(fmt::format("HTTP/1.1 200 OK\r\nX-Echo: {}\r\nContent-Length: {}\r\n\r\n{}",
                                  got_it ? secret : "nothing", request.size(), request));
    }
  });
  const auto server = serve_with_secret(reflecting);
  const Json result = get(*server, origin("localhost", reflecting));
  ASSERT_FALSE(is_error(result)) << result;
  EXPECT_THAT(text_of(result), HasSubstr("Bearer *****"));
  const Json other = get(*server, origin("b.test", reflecting));
  {
    const std::lock_guard lock(mutex);
    ASSERT_THAT(requests, SizeIs(2));
    EXPECT_THAT(requests[0], HasSubstr(fmt::format("Bearer {}\r\n", secret)))
        << "the host that the secret is bound to has to get it";
    EXPECT_THAT(requests[1], Not(HasSubstr("uthorization")));
  }
  expect_record(
      {{"kind", "use"}, {"component", "fetch"}, {"permission", "secret"}, {"what", "key"}});
  expect_nowhere(*server, result.dump() + other.dump());
  expect_unharmed(*server);
}

TEST_F(A53, FailuresLogsAndFilesDoNotTellTheSecret) {
  RawServer broken([](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send(fmt::format("{0} {0}\r\n\r\n", secret));
  });
  const auto server = serve_with_secret(broken);
  const std::string url = origin("localhost", broken);
  std::string said = get(*server, url + "/path?query").dump();
  said += get(*server, "http://refused.test/").dump();
  expect_record({{"kind", "use"}, {"permission", "secret"}, {"what", "key"}});
  said += run({"log"}).out + run({"secret", "list"}).out + run({"policy", "show"}).out;
  expect_nowhere(*server, said);
  expect_unharmed(*server);
}

TEST_F(A54, AnotherComponentsSecretIsOutOfReach) {
  EXPECT_EQ(run({"secret", "set", "other"}, "another-tools-secret\n").code, 0);
  std::mutex mutex;
  std::vector<std::string> requests;
  RawServer peer(
      RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &requests, &mutex));
  const auto server = serve_with_secret(peer);
  for (const char* const value :
       {"belljar-secret:other", "${other}", "OTHER", "belljar-secret:../key"}) {
    static_cast<void>(
        server->call("fetch_request", {{"request",
                                        {{"url", origin("b.test", peer)},
                                         {"headers", {{{"name", "x-key"}, {"value", value}}}}}}}));
  }
  const std::lock_guard lock(mutex);
  EXPECT_THAT(requests, SizeIs(4));
  for (const std::string& request : requests) {
    EXPECT_THAT(request, Not(HasSubstr("another-tools-secret")));
    EXPECT_THAT(request, Not(HasSubstr(std::string(secret))));
  }
  expect_unharmed(*server);
}

TEST_F(A54, ASecretGoesToItsOwnHostFromItsOwnComponentOnly) {
  constexpr std::string_view value_of_other = "another-tools-secret";
  ASSERT_EQ(run({"secret", "set", "other"}, std::string(value_of_other) + "\n").code, 0);
  std::mutex mutex;
  std::vector<std::string> requests;
  RawServer peer(
      RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &requests, &mutex));
  // Both may talk to both hosts, and each has a secret for one of them.
  std::vector<std::string> words;
  for (const auto& [component, rule] :
       {std::pair{"first", "{name: key, host: localhost, bearer: true}"},
        std::pair{"second", "{name: other, host: 127.0.0.1, bearer: true}"}}) {
    const auto policy = write(
        fmt::format("{}.yaml", component),
        fmt::format("version: \"1.1\"\npermissions:\n  network:\n    allow:\n{}{}"
                    "  secrets:\n    allow: [{}]\n",
                    allow(origin("localhost", peer)), allow(origin("127.0.0.1", peer)), rule));
    std::filesystem::permissions(
        policy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    words.insert(words.end(), {fmt::format("{}={}/fetch.wasm", component, BELLJAR_EXAMPLES),
                               "--policy", fmt::format("{}={}", component, policy.native())});
  }
  const auto server = serve(words);
  // What it sends when the guest asks for the secrets by their placeholders.
  const auto sent = [&](const char* component, std::string_view host) {
    const Json result =
        server->call(fmt::format("{}_request", component),
                     {{"request",
                       {{"url", origin(host, peer)},
                        {"headers",
                         {{{"name", "x-key"}, {"value", "belljar-secret:key"}},
                          {{"name", "x-other"}, {"value", "belljar-secret:other"}}}}}}});
    EXPECT_FALSE(result.value("isError", false)) << result;
    const std::lock_guard lock(mutex);
    EXPECT_THAT(requests, SizeIs(1));
    return std::exchange(requests, {}).back();
  };
  const std::string own = fmt::format("authorization: Bearer {}\r\n", secret);
  const std::string others = fmt::format("authorization: Bearer {}\r\n", value_of_other);
  for (const auto& [component, host, gets] :
       {std::tuple{"first", "localhost", own}, std::tuple{"first", "127.0.0.1", std::string()},
        std::tuple{"second", "127.0.0.1", others},
        std::tuple{"second", "localhost", std::string()}}) {
    SCOPED_TRACE(fmt::format("{} to {}", component, host));
    const std::string request = sent(component, host);
    EXPECT_EQ(request.find(own) != std::string::npos, gets == own) << request;
    EXPECT_EQ(request.find(others) != std::string::npos, gets == others) << request;
    EXPECT_EQ(request.find("uthorization") != std::string::npos, !gets.empty()) << request;
    EXPECT_THAT(request, HasSubstr("x-key: belljar-secret:key\r\n")) << "text was replaced";
    EXPECT_THAT(request, HasSubstr("x-other: belljar-secret:other\r\n")) << "text was replaced";
  }
  const std::vector<Json> records = audit_log();
  EXPECT_EQ(std::count_if(records.begin(), records.end(),
                          [](const Json& record) {
                            return record["kind"] == "use" && record["permission"] == "secret";
                          }),
            2);
  expect_record(
      {{"kind", "use"}, {"component", "first"}, {"permission", "secret"}, {"what", "key"}});
  expect_record(
      {{"kind", "use"}, {"component", "second"}, {"permission", "secret"}, {"what", "other"}});
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A55, EncodedSecretsInPiecesDoNotComeBack) {
  std::string percent;
  for (const char c : secret) percent += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  const std::string text(secret);
  const std::string body =
      fmt::format("<{}|{}|{}|{}|{}|{}>", text, percent, hex(text), to_base64(text),
                  to_base64("x" + text), to_base64("xx" + text));
  RawServer dripping([&](const Connection& connection) {
    static_cast<void>(connection.request());
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char c : body) connection.send(fmt::format("1\r\n{}\r\n", c));
    connection.send("0\r\n\r\n");
  });
  const auto server = serve_with_secret(dripping);
  const Json result = get(*server, origin("localhost", dripping));
  ASSERT_FALSE(is_error(result)) << result;
  EXPECT_THAT(text_of(result), HasSubstr("<****"));
  EXPECT_THAT(text_of(result), Not(HasSubstr(percent)));
  expect_nowhere(*server, result.dump());
  expect_unharmed(*server);
}

TEST_F(A55, ACompressedAnswerIsRefusedWhereASecretWentOut) {
  std::atomic<bool> asked_plainly = false;
  RawServer compressing([&](const Connection& connection) {
    const std::string request = connection.request();
    asked_plainly = request.find("accept-encoding: identity\r\n") != std::string::npos;
    connection.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello");
  });
  const auto server = serve_with_secret(compressing);
  EXPECT_TRUE(is_error(get(*server, origin("localhost", compressing))));
  EXPECT_TRUE(asked_plainly);
  expect_unharmed(*server);
}

}  // namespace
}  // namespace belljar::attacks
