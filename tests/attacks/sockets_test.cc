// A guest that goes around HTTP: sockets of its own.

#include "network_attack.h"

namespace belljar::attacks {
namespace {

using A50 = NetworkAttack;

TEST_F(A50, RawSocketsAndLookupsNeedAGrant) {
  std::atomic<int> lookups = 0;
  answer_with([&](const std::string&) {
    ++lookups;
    return addresses({"127.0.0.1"});
  });
  RawServer target([](const Connection& connection) { connection.wait_for_close(); });
  const auto server = serve({std::string("sockets=") + BELLJAR_ATTACK_GUESTS + "/sockets.wat"});
  // 1 is access-denied.
  EXPECT_EQ(text_of(server->call("sockets_look-up")), "1");
  EXPECT_EQ(text_of(server->call("sockets_connect", {{"port", target.port()}})), "1");
  EXPECT_EQ(text_of(server->call("sockets_send", {{"port", target.port()}})), "1");
  EXPECT_EQ(text_of(server->call("sockets_listen", {{"port", 0}})), "1");
  EXPECT_EQ(lookups, 0);
  EXPECT_EQ(target.connections(), 0U);
  expect_record({{"kind", "refusal"}, {"component", "sockets"}, {"what", "make a tcp socket"}});
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A50, AGrantOfOneSocketIsOfThatSocketOnly) {
  RawServer target([](const Connection& connection) { connection.wait_for_close(); });
  const auto server = serve({std::string("sockets=") + BELLJAR_ATTACK_GUESTS + "/sockets.wat",
                             "--grant", "sockets:network=tcp:b.test:80"});
  EXPECT_EQ(text_of(server->call("sockets_look-up")), "1") << "a name that was not granted";
  EXPECT_EQ(text_of(server->call("sockets_connect", {{"port", target.port()}})), "1");
  EXPECT_EQ(text_of(server->call("sockets_send", {{"port", 8'080}})), "1");
  EXPECT_EQ(text_of(server->call("sockets_listen", {{"port", 8'080}})), "1")
      << "a port of its choice, which would be a service";
  EXPECT_EQ(target.connections(), 0U);
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

TEST_F(A50, WhatIsGrantedWorksUntilItIsNotGranted) {
  RawServer target([](const Connection& connection) { connection.wait_for_close(); });
  const auto server =
      serve({std::string("sockets=") + BELLJAR_ATTACK_GUESTS + "/sockets.wat", "--grant",
             fmt::format("sockets:network=tcp:127.0.0.1:{}", target.port()), "--grant",
             "sockets:network=cidr:127.0.0.1/32"});
  EXPECT_EQ(text_of(server->call("sockets_connect", {{"port", target.port()}})), "100");
  EXPECT_EQ(target.connections(), 1U);
  EXPECT_EQ(text_of(server->call("sockets_connect", {{"port", 1}})), "1");
  EXPECT_EQ(text_of(server->call("sockets_listen", {{"port", 0}})), "1");
  expect_record({{"kind", "use"},
                 {"permission", "network"},
                 {"what", fmt::format("tcp:127.0.0.1:{}", target.port())}});
  expect_record({{"kind", "refusal"}, {"what", "connect to tcp:127.0.0.1:1"}});
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

}  // namespace
}  // namespace belljar::attacks
