#include "store/paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using ::testing::HasSubstr;

GetVariable environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

TEST(Paths, OneVariableMovesThemAll) {
  const auto paths = find_paths(environment({{"BELLJAR_HOME", "/srv/b"},
                                             {"HOME", "/home/me"},
                                             {"XDG_DATA_HOME", "/elsewhere"},
                                             {"XDG_RUNTIME_DIR", "/run/user/7"}}));
  ASSERT_TRUE(paths) << paths.error().describe();
  EXPECT_EQ(paths->data, "/srv/b/data");
  EXPECT_EQ(paths->config, "/srv/b/config");
  EXPECT_EQ(paths->cache, "/srv/b/cache");
  EXPECT_EQ(paths->run, "/srv/b/run");
}

TEST(Paths, ARelativeHomeIsMadeAbsoluteBeforeTheFolderChanges) {
  EXPECT_TRUE(find_paths(environment({{"BELLJAR_HOME", "here"}}))->data.is_absolute());
}

TEST(Paths, TheBaseDirectoriesHoldOtherwise) {
  const test::TemporaryFolder runtime;
  const auto paths = find_paths(environment({{"HOME", "/home/me"},
                                             {"BELLJAR_HOME", ""},
                                             {"XDG_DATA_HOME", "/d"},
                                             {"XDG_CACHE_HOME", "relative/is/ignored"},
                                             {"XDG_RUNTIME_DIR", runtime.path().native()}}));
  ASSERT_TRUE(paths);
  EXPECT_EQ(paths->data, "/d/belljar");
  EXPECT_EQ(paths->config, "/home/me/.config/belljar");
  EXPECT_EQ(paths->cache, "/home/me/.cache/belljar");
  EXPECT_EQ(paths->run, runtime / "belljar");
}

TEST(Paths, WithoutARuntimeFolderSocketsLieWhereNobodyElseMayWrite) {
  const auto paths = find_paths(environment(
      {{"HOME", "/home/me"}, {"TMPDIR", "/scratch"}, {"XDG_RUNTIME_DIR", "/does/not/exist"}}));
  EXPECT_EQ(paths->run, "/home/me/.local/share/belljar/run");
  EXPECT_EQ(find_paths(environment({{"HOME", "/home/me"}}))->run, paths->run);
}

TEST(Paths, ARelativeHomeFolderIsNoneAndTheAccountsIsTaken) {
  const auto paths = find_paths(environment({{"HOME", "not/absolute"}}));
  ASSERT_TRUE(paths);
  EXPECT_TRUE(paths->data.is_absolute());
  EXPECT_THAT(paths->data.native(), ::testing::Not(HasSubstr("not/absolute")));
}

}  // namespace
}  // namespace belljar::store
