#include "runtime/bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/pinned_places.h"

namespace belljar::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

policy::Document document(const std::string& permissions) {
  return store::read_given_policy("version: \"1.1\"\npermissions:\n" + permissions, "test", "/")
      .value()
      .document;
}

std::vector<std::string> problems(const policy::Document& granted, const policy::Sources& bounds) {
  const std::vector<store::Secrets::Entry> secrets{{.name = "known", .set_at = {}}};
  std::vector<std::string> problems;
  for (const Hindrance& hindrance : hindrances(granted, bounds, secrets)) {
    problems.push_back(hindrance.problem);
  }
  return problems;
}

TEST(HindrancesTest, NameFoldersThatAreNotThereAndSecretsThatAreNotSet) {
  const policy::Document granted = document(
      "  storage: {allow: [{uri: \"fs:///usr\", access: [read]}, "
      "{uri: \"fs:///none-such\", access: [read]}]}\n"
      "  secrets:\n"
      "    allow:\n"
      "      - {name: known, host: api.example, bearer: true}\n"
      "      - {name: unknown, host: api.example, bearer: true}\n");
  EXPECT_THAT(problems(granted, {}),
              ElementsAre("/none-such is not there", "the secret unknown is not set"));
}

TEST(HindrancesTest, NameEachBoundThatAllowsLess) {
  const policy::Document granted = document(
      "  storage: {allow: [{uri: \"fs:///usr\", access: [read, write], guest: /data}]}\n"
      "  network: {allow: [{host: a.example}, {host: b.example}, {host: \"*.c.example\"}]}\n"
      "  environment: {allow: [{key: A}, {key: B}]}\n"
      "  resources: {memory: 1Gi, timeout: 10s, output: 1Mi}\n");
  policy::Sources bounds;
  EXPECT_THAT(problems(granted, bounds), IsEmpty());
  bounds.manifest = document(
      "  storage: {allow: [{uri: \"fs:///data\", access: [read]}]}\n"
      "  network: {allow: [{host: b.example}, {host: x.c.example}]}\n"
      "  environment: {allow: [{key: B}]}\n"
      "  resources: {output: 1Ki}\n");
  bounds.ceilings = {
      document("  resources: {memory: 64Mi}\n"),
      document(
          "  network: {allow: [{host: \"*.c.example\"}, {host: a.example}, {host: b.example}]}\n")};
  EXPECT_THAT(problems(granted, bounds),
              ElementsAre("the component's manifest does not allow all of storage /usr at /data "
                          "(read, write)",
                          "the component's manifest does not allow all of network "
                          "https://a.example",
                          "the component's manifest does not allow all of environment A",
                          "the component's manifest does not allow all of limit output=1Mi",
                          "the operator's ceiling does not allow all of limit memory=1Gi"));
}

TEST(HindrancesTest, NameBelljarsOwnFolders) {
  const policy::Document granted =
      document("  storage: {allow: [{uri: \"fs:///usr/share\", access: [read]}]}\n");
  policy::Sources bounds;
  bounds.own_folders = {"/usr/share"};
  EXPECT_THAT(problems(granted, bounds),
              ElementsAre("Belljar does not allow all of storage /usr/share at /usr/share (read)"));
}

}  // namespace
}  // namespace belljar::runtime
