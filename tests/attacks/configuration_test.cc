// A88: a configuration, ceiling or policy that somebody else wrote, or could put in place.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "attack.h"

namespace belljar::attacks {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr uid_t somebody = 12'345;

class Configuration : public Attack {
 protected:
  Configuration() {
    write("ceiling.yaml", "version: \"1.1\"\npermissions: {network: {}}\n");
    std::filesystem::permissions(folder() / "ceiling.yaml", std::filesystem::perms::owner_all);
    write("home/config/belljar.toml", "[limits]\nsandboxes = 10\n");
    write("policy.yaml", "version: \"1.1\"\npermissions: {}\n");
  }
  [[nodiscard]] std::filesystem::path config() const { return home() / "config/belljar.toml"; }

  /// No command goes on without its configuration: it may be what bounds everything.
  void expect_refused(const std::string& why) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"call", "healthy.wat", "add", "a=1", "b=2"},
          std::vector<std::string>{"serve", "--stdio", "healthy=healthy.wat"},
          std::vector<std::string>{"load", "healthy.wat"}, std::vector<std::string>{"list"}}) {
      const CommandResult result = run(words);
      EXPECT_EQ(result.code, 5) << words[0] << ": " << result.err;
      EXPECT_THAT(result.err, AllOf(HasSubstr("belljar.toml"), HasSubstr(why))) << words[0];
      EXPECT_EQ(result.out, "") << words[0];
    }
    const CommandResult doctor = run({"doctor"});
    EXPECT_NE(doctor.code, 0);
    EXPECT_THAT(doctor.out, HasSubstr(why));
  }
  void expect_unharmed() {
    expect_healthy();
    expect_record({{"kind", "call"}, {"tool", "healthy_add"}, {"outcome", "returned"}});
    expect_sound_log();
  }
  static void chmod(const std::filesystem::path& path, mode_t mode) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }
};

using A88 = Configuration;

TEST_F(A88, AConfigurationThatOthersMayWriteIsRefused) {
  chmod(config(), 0666);
  expect_refused("others may write this configuration");
  chmod(config(), 0644);
  expect_unharmed();
}

TEST_F(A88, AConfigurationThroughALinkIsRefused) {
  std::filesystem::rename(config(), folder() / "elsewhere.toml");
  std::filesystem::create_symlink(folder() / "elsewhere.toml", config());
  expect_refused("a configuration cannot be a symbolic link");
  std::filesystem::remove(config());
  expect_unharmed();
}

TEST_F(A88, AFolderInWhichOthersMayWriteIsRefused) {
  for (const std::filesystem::path& open : {home() / "config", home(), folder()}) {
    chmod(open, 0777);
    expect_refused("others may write to the folder " + open.native());
    chmod(open, 0700);
  }
  chmod(folder(), 01777);
  expect_unharmed();
}

TEST_F(A88, AConfigurationOfAnotherUserIsRefused) {
  if (::chown(config().c_str(), somebody, somebody) != 0) {
    GTEST_SKIP() << "only root can give files away";
  }
  expect_refused("this configuration belongs to the user with number 12345");
  ASSERT_EQ(::chown(config().c_str(), ::geteuid(), ::getegid()), 0);
  ASSERT_EQ(::chown((home() / "config").c_str(), somebody, somebody), 0);
  expect_refused("belongs to the user with number 12345");
  ASSERT_EQ(::chown((home() / "config").c_str(), ::geteuid(), ::getegid()), 0);
  expect_unharmed();
}

TEST_F(A88, CeilingsAndPoliciesAnswerToTheSameRules) {
  write("home/config/belljar.toml",
        "[policy]\nceiling = \"" + (folder() / "below/ceiling.yaml").native() + "\"\n");
  write("below/ceiling.yaml", "version: \"1.1\"\npermissions: {network: {}}\n");
  write("below/policy.yaml", "version: \"1.1\"\npermissions: {}\n");
  expect_unharmed();
  chmod(folder() / "below", 0777);
  const std::vector<std::string> call{"call", "healthy.wat", "add", "a=1", "b=2"};
  const CommandResult bounded = run(call);
  EXPECT_EQ(bounded.code, 5);
  EXPECT_THAT(bounded.err, AllOf(HasSubstr("the ceiling: "), HasSubstr("ceiling.yaml"),
                                 HasSubstr("others may write to the folder")));
  std::filesystem::remove(config());
  std::vector<std::string> with_policy = call;
  with_policy.insert(with_policy.end(), {"--policy", "below/policy.yaml"});
  const CommandResult allowed = run(with_policy);
  EXPECT_EQ(allowed.code, 5);
  EXPECT_THAT(allowed.err, HasSubstr("others may write to the folder"));
  EXPECT_EQ(run({"grant", "healthy.wat", "--policy", "below/policy.yaml"}).code, 5);
  chmod(folder() / "below", 0755);
  EXPECT_EQ(run(with_policy).code, 0);
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
