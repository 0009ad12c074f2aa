// A guest that fetches, in a small internet on the loopback: a name server, and servers that say
// what a test wants.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "attack.h"
#include "host/testing/name_server.h"
#include "host/testing/raw_server.h"

namespace belljar::attacks {

using host::testing::Connection;
using host::testing::NameServer;
using host::testing::RawServer;

inline std::vector<policy::Address> addresses(std::initializer_list<std::string_view> texts) {
  std::vector<policy::Address> all;
  for (const std::string_view text : texts) all.push_back(*policy::Address::parse(text));
  return all;
}

class NetworkAttack : public Attack {
 protected:
  /// Every name has the loopback's address unless a test says otherwise.
  NetworkAttack() : names_([this](const std::string& name) { return answer_(name); }) {
    write("home/config/belljar.toml",
          fmt::format(
              "[network]\nname_servers = [\"{}\"]\nconnect_timeout = \"500ms\"\n"
              "head_timeout = \"500ms\"\nidle_timeout = \"500ms\"\nname_timeout = \"500ms\"\n",
              names_.text()));
  }

  void answer_with(NameServer::Answer answer) { answer_ = std::move(answer); }

  /// A server with the example tool that fetches, under a policy of these lines.
  [[nodiscard]] std::unique_ptr<Server> serve_fetch(std::string_view allow,
                                                    std::string_view more = {}) const {
    const auto policy =
        write("policy.yaml", fmt::format("version: \"1.1\"\npermissions:\n  network:\n    allow:\n"
                                         "{}{}",
                                         allow, more));
    std::filesystem::permissions(
        policy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return serve({std::string("fetch=") + BELLJAR_EXAMPLES + "/fetch.wasm", "--policy",
                  "fetch=" + policy.native()});
  }
  /// A rule for a host, which may be on the loopback.
  static std::string allow(std::string_view host, std::string_view lines = {}) {
    return fmt::format("      - host: \"{}\"\n{}      - cidr: 127.0.0.1/32\n", host, lines);
  }

  static Json get(Server& server, std::string_view url) {
    return server.call("fetch_get", {{"url", url}});
  }
  static bool is_error(const Json& result) { return result.value("isError", false); }

  /// Fetching fails, and the tool's answer says why: an attack that fails for another reason than
  /// the defence that it is about proves nothing.
  static void expect_refused(Server& server, std::string_view url, std::string_view why) {
    const Json result = get(server, url);
    EXPECT_TRUE(is_error(result)) << url << " was fetched: " << result;
    EXPECT_THAT(text_of(result), testing::HasSubstr(std::string(why))) << url;
  }
  /// What follows every attack.
  void expect_unharmed(Server& server) const {
    expect_healthy(server);
    expect_record({{"kind", "call"}, {"component", "fetch"}});
    EXPECT_EQ(server.end(), 0);
    expect_sound_log();
  }
  void expect_refusal_recorded() const {
    expect_record({{"kind", "refusal"}, {"component", "fetch"}});
  }

  NameServer::Answer answer_ = [](const std::string&) { return addresses({"127.0.0.1"}); };
  NameServer names_;
};

}  // namespace belljar::attacks
