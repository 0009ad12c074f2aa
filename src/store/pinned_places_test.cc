#include "store/pinned_places.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/host_place.h"
#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using ::testing::HasSubstr;

class PinnedPlacesTest : public ::testing::Test {
 protected:
  PinnedPlacesTest() {
    folder_.write("real/file", "x");
    std::filesystem::create_directory_symlink("real", folder_ / "link");
  }
  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).native(); }
  [[nodiscard]] std::filesystem::path real(std::string_view name) const {
    return std::filesystem::canonical(folder_.path()) / name;
  }
  test::TemporaryFolder folder_;
};

TEST_F(PinnedPlacesTest, AGrantIsCalledByItsRealFolder) {
  const auto grant =
      pin(*policy::parse_grant(fmt::format("storage={}:/data:rw", path("link")), "/"));
  ASSERT_TRUE(grant) << grant.error().describe();
  EXPECT_EQ(grant->value, real("real").native() + ":/data:rw");
  EXPECT_EQ(grant->identity, find_place(folder_ / "real").identity);
  EXPECT_EQ(pin(*grant)->value, grant->value);
  EXPECT_THAT(names_of(*policy::parse_grant(fmt::format("storage={}:/data:rw", path("link")), "/")),
              ::testing::Contains(grant->text()));
}

TEST_F(PinnedPlacesTest, ALinkToAMisleadingNameIsNotGranted) {
  folder_.make_folder("mis\x1b[2Kleading");
  std::filesystem::create_directory_symlink("mis\x1b[2Kleading", folder_ / "plain");
  EXPECT_FALSE(pin(*policy::parse_grant(fmt::format("storage={}:/data", path("plain")), "/")));
  const auto given = read_given_policy(
      "version: \"1.1\"\npermissions:\n  storage: {allow: [{uri: \"fs://./plain\", access: "
      "[read]}]}\n",
      "p.yaml", folder_.path());
  ASSERT_FALSE(given);
  EXPECT_THAT(given.error().describe(), HasSubstr("p.yaml"));
}

TEST_F(PinnedPlacesTest, WhatIsKeptAsTextIsReadAgain) {
  const std::vector<PinnedPlace> places{{"/a b/\"c\"", "/d", "12/ef.00/h1.aa"}, {"/e", "/f", ""}};
  const auto read = places_from_text(to_text(places));
  ASSERT_TRUE(read) << read.error().describe();
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].written, places[0].written);
  EXPECT_EQ((*read)[0].real, places[0].real);
  EXPECT_EQ((*read)[0].identity, places[0].identity);
  for (const char* const damaged : {"", "{", "[1]", "[[\"/a\", \"/b\"]]", "[[1, 2, 3]]"}) {
    EXPECT_FALSE(places_from_text(damaged)) << damaged;
  }
}

TEST_F(PinnedPlacesTest, PlacesOfAnotherPolicyPinNothing) {
  policy::Document document;
  document.storage.push_back(
      {.host = path("real"), .guest = "/a", .access = {.read = true, .write = false}});
  document.storage[0].identity = "invented";
  apply_places(document, {{"/elsewhere", "/elsewhere", "some"}});
  EXPECT_EQ(document.storage[0].identity, "") << "what is pinned to nothing is never opened";
}

}  // namespace
}  // namespace belljar::store
