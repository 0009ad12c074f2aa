#include "runtime/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/components.h"
#include "store/grants.h"
#include "support/crypto.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::runtime {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view wat = R"((module (func (export "one") (result i32) i32.const 1)))";

class DoctorTest : public ::testing::Test {
 protected:
  std::vector<Finding> examine() {
    return runtime::examine(
        [this](const char* name) -> std::optional<std::string> {
          if (std::string_view(name) == "BELLJAR_HOME") return (folder_ / "home").native();
          if (std::string_view(name) == "HOME") return (folder_ / "user").native();
          return std::nullopt;
        },
        folder_ / "project");
  }
  std::unique_ptr<store::State> state() {
    const auto home = folder_ / "home";
    auto opened =
        store::State::open({home / "data", home / "config", home / "cache", home / "run"}, clock_);
    EXPECT_TRUE(opened) << opened.error().describe();
    return opened ? *std::move(opened) : nullptr;
  }
  void load(const std::string& name, const std::filesystem::path& file) {
    ASSERT_TRUE(
        store::Components(*state()).put({name, file.native(), to_hex(sha256(wat)), clock_.now()}));
  }
  static auto finding(FindingLevel level, const std::string& area, const std::string& text,
                      const std::string& remedy = {}) {
    return AllOf(Field(&Finding::level, level), Field(&Finding::area, area),
                 Field(&Finding::text, HasSubstr(text)),
                 Field(&Finding::remedy, HasSubstr(remedy)));
  }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
};

TEST_F(DoctorTest, AFreshStateCanBeUsed) {
  const auto findings = examine();
  EXPECT_THAT(findings, Contains(finding(FindingLevel::good, "state", "can be used")));
  EXPECT_THAT(findings,
              Contains(finding(FindingLevel::good, "cache", "0 components are kept compiled")));
  EXPECT_THAT(findings, Contains(finding(FindingLevel::good, "compiler", "works")));
}

TEST_F(DoctorTest, EveryProblemComesWithWhatMendsIt) {
  load("gone", folder_ / "gone.wat");
  folder_.write("home/config/belljar.toml", "[profiles.work]\npolicies = {a = \"missing.yaml\"}\n");
  const auto findings = examine();
  for (const Finding& one : findings) {
    if (one.level == FindingLevel::problem) {
      EXPECT_NE(one.remedy, "") << one.text;
    }
  }
  EXPECT_THAT(findings, Contains(finding(FindingLevel::problem, "policies", "profile work: ")));
}

TEST_F(DoctorTest, AStateThatOthersMayEnterIsAProblem) {
  state().reset();
  test::set_mode(folder_ / "home/data", 0755);
  EXPECT_THAT(examine(),
              Contains(finding(FindingLevel::problem, "state", "may be entered by others",
                               "chmod 700 " + (folder_ / "home/data").native())));
}

TEST_F(DoctorTest, AConfigurationThatCannotBeReadIsTheProblemAndTheRestIsStillLookedAt) {
  folder_.write("home/config/belljar.toml", "[limts]\n");
  const auto findings = examine();
  EXPECT_THAT(findings,
              Contains(finding(FindingLevel::problem, "state", "did you mean \"limits\"?")));
  EXPECT_THAT(findings, Contains(Field(&Finding::area, "clients")));
  EXPECT_THAT(findings, Contains(Field(&Finding::area, "kernel")));
}

TEST_F(DoctorTest, AComponentIsWhatWasLoadedOrItIsTold) {
  const auto file = folder_.write("one.wat", wat);
  load("one", file);
  EXPECT_THAT(examine(),
              Contains(finding(FindingLevel::good, "components", "one is what was loaded")));
  folder_.write("one.wat", std::string(wat) + " ");
  EXPECT_THAT(examine(), Contains(finding(FindingLevel::problem, "components",
                                          "has changed since it was loaded",
                                          "belljar upgrade --dry-run one")));
  std::filesystem::remove(file);
  EXPECT_THAT(examine(), Contains(finding(FindingLevel::problem, "components",
                                          "one: ", "belljar unload one")));
}

TEST_F(DoctorTest, A12_APoisonedCacheIsTold) {
  folder_.write("home/cache/code/aaaa-ffff/code", "evil");
  test::set_mode(folder_ / "home/cache", 0700);
  EXPECT_THAT(examine(),
              Contains(finding(FindingLevel::problem, "cache",
                               "1 of 1 entries of compiled code are damaged", "rm -r ")));
}

TEST_F(DoctorTest, APolicyThatChangedSinceItWasApprovedIsTold) {
  const std::string text = "version: \"1.1\"\npermissions: {}\n";
  load("one", folder_.write("one.wat", wat));
  const auto policy = folder_.write("policy.yaml", text);
  const store::ComponentKey key{"one", to_hex(sha256(wat))};
  ASSERT_TRUE(store::Grants(*state()).approve_policy(key, policy.native(), text, {"me", "t"}));
  EXPECT_THAT(examine(), Contains(finding(FindingLevel::good, "policies", "holds for one")));
  folder_.write("policy.yaml", text + "# more\n");
  EXPECT_THAT(examine(), Contains(finding(FindingLevel::note, "policies", "what was approved holds",
                                          "belljar grant one --policy " + policy.native())));
}

TEST_F(DoctorTest, AStateOfANewerProgramIsAProblemAndNotTouched) {
  ASSERT_TRUE(state()->database().execute("PRAGMA user_version = 99"));
  const auto findings = examine();
  EXPECT_THAT(findings, Contains(finding(FindingLevel::problem, "state", "newer Belljar")));
  EXPECT_THAT(findings, Not(Contains(finding(FindingLevel::good, "state", "can be used"))));
}

}  // namespace
}  // namespace belljar::runtime
