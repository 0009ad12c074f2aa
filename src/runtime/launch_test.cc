#include "runtime/launch.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "testing/temporary_folder.h"

namespace belljar::runtime {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view good =
    "version: \"1.1\"\npermissions: {network: {allow: [{host: a.example}]}}\n";

Result<Settings> settings_in(const test::TemporaryFolder& folder) {
  return read_settings([&](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "BELLJAR_HOME") return folder.path().native();
    return std::nullopt;
  });
}

class PolicyFileTest : public ::testing::Test {
 protected:
  std::string problem_with(const std::filesystem::path& path) {
    const auto document = read_policy_file(path);
    if (document) return "";
    EXPECT_EQ(document.error().code(), ErrorCode::invalid_policy);
    return document.error().message();
  }
  Result<Settings> settings() { return settings_in(folder_); }

  test::TemporaryFolder folder_;
};

TEST_F(PolicyFileTest, IsReadRelativeToItsFolder) {
  const auto file = folder_.write(
      "p/policy.yaml",
      "version: \"1.1\"\npermissions: {storage: {allow: [{uri: \"fs://data\", access: "
      "[read]}]}}\n");
  const auto document = read_policy_file(file);
  ASSERT_TRUE(document) << document.error().describe();
  EXPECT_EQ(document->storage.at(0).host, folder_ / "p/data");
}

TEST_F(PolicyFileTest, IsNamedInErrorsAsThePersonWroteIt) {
  EXPECT_THAT(problem_with(folder_.write("bad.yaml", "version: \"1.1\"\npermissions: {x: 1}\n")),
              HasSubstr((folder_ / "bad.yaml").native() + ":2:15: unknown key"));
  EXPECT_THAT(problem_with(folder_ / "missing.yaml"), HasSubstr("missing.yaml: No such file"));
}

TEST_F(PolicyFileTest, A69_ThatOthersMayWriteProvesNothing) {
  const auto file = folder_.write("policy.yaml", good);
  for (const unsigned mode : {0666U, 0602U, 0646U, 0777U}) {
    test::set_mode(file, mode);
    EXPECT_THAT(problem_with(file), HasSubstr("others may write this policy")) << std::oct << mode;
    EXPECT_THAT(problem_with(file), HasSubstr("chmod go-w " + file.native()));
  }
  for (const unsigned mode : {0600U, 0644U, 0400U, 0755U}) {
    test::set_mode(file, mode);
    EXPECT_EQ(problem_with(file), "") << std::oct << mode;
  }
}

TEST_F(PolicyFileTest, A69_ThatAGroupOfOthersMayWriteProvesNothing) {
  if (::geteuid() != 0) return;  // only root can give a file to a group that it is not in
  const auto file = folder_.write("policy.yaml", good);
  ASSERT_EQ(::chown(file.c_str(), 0, 12'345), 0);
  test::set_mode(file, 0664);
  EXPECT_THAT(problem_with(file), HasSubstr("others may write this policy"));
}

TEST_F(PolicyFileTest, A69_ThatIsALinkIsRefused) {
  const auto file = folder_.write("policy.yaml", good);
  std::filesystem::create_symlink(file, folder_ / "link.yaml");
  EXPECT_THAT(problem_with(folder_ / "link.yaml"), HasSubstr("cannot be a symbolic link"));
  std::filesystem::create_symlink("nowhere", folder_ / "dangling.yaml");
  EXPECT_THAT(problem_with(folder_ / "dangling.yaml"), HasSubstr("cannot be a symbolic link"));
}

TEST_F(PolicyFileTest, A69_ThatBelongsToAnotherUserIsRefused) {
  if (::geteuid() != 0) return;  // only root can give a file away
  const auto file = folder_.write("policy.yaml", good);
  ASSERT_EQ(::chown(file.c_str(), 65'534, 65'534), 0);
  EXPECT_THAT(problem_with(file), HasSubstr("this policy belongs to the user "));
}

TEST_F(PolicyFileTest, A68_OfAHundredMegabytesIsRefusedWithoutBeingRead) {
  const auto file = folder_.write("policy.yaml", good);
  std::filesystem::resize_file(file, 100'000'000);
  EXPECT_THAT(problem_with(file), HasSubstr("larger than the 256 KiB that are read"));
}

TEST_F(PolicyFileTest, ThatIsNoFileIsRefusedAndNothingBlocks) {
  const auto fifo = folder_ / "fifo.yaml";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(problem_with(fifo), HasSubstr("not a file"));
  EXPECT_THAT(problem_with(folder_.path()), HasSubstr("not a file"));
  EXPECT_THAT(problem_with("/dev/zero"), HasSubstr("not a file"));
}

TEST_F(PolicyFileTest, TheCeilingIsReadWithTheSettings) {
  folder_.write("config/belljar.toml", "[policy]\nceiling = \"ceiling.yaml\"\n");
  const auto missing = settings();
  ASSERT_FALSE(missing) << "a ceiling that is not there must not mean that there is none";
  EXPECT_THAT(missing.error().describe(), HasSubstr("the ceiling: "));
  const auto ceiling = folder_.write("config/ceiling.yaml", good);
  const auto read = settings();
  ASSERT_TRUE(read) << read.error().describe();
  ASSERT_EQ(read->ceilings.size(), 1U);
  EXPECT_EQ(read->ceilings.front().network.size(), 1U);
  test::set_mode(ceiling, 0666);
  EXPECT_FALSE(settings()) << "anybody could raise it";
}

TEST_F(PolicyFileTest, WithoutAnythingSetUpThereAreSettings) {
  const auto read = settings();
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_TRUE(read->ceilings.empty());
  EXPECT_EQ(read->paths.data, folder_ / "data");
}

/// Whether this process has the kernel's map of its pages open.
bool has_page_map() {
  for (int descriptor = 0; descriptor < 256; ++descriptor) {
    std::array<char, 64> name{};
    const std::string link = fmt::format("/proc/self/fd/{}", descriptor);
    const ssize_t length = ::readlink(link.c_str(), name.data(), name.size());
    if (length > 0 &&
        std::string_view(name.data(), static_cast<std::size_t>(length)).ends_with("/pagemap")) {
      return true;
    }
  }
  return false;
}

TEST(LaunchTest, AConfinedProcessHasWhatItsEngineCleansSandboxesBy) {
  const test::TemporaryFolder folder;
  // In a process of its own: confinement cannot be taken back.
  EXPECT_EXIT(
      {
        const auto launched =
            launch(*settings_in(folder), {.role = "test", .files = {}, .grants = {}});
        if (!launched) fmt::print(stderr, "{}\n", launched.error().describe());
        ::_exit(launched && has_page_map() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace belljar::runtime
