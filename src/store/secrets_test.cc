#include "store/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/child_process.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::store {
namespace {

using namespace std::string_view_literals;
using test::ChildProcess;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view value = "correct-horse-battery-staple";

class SecretsTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    secrets_.reset();
    state_.reset();
    auto state = State::open(paths(), clock_);
    ASSERT_TRUE(state) << state.error().describe();
    state_ = *std::move(state);
    secrets_ = std::make_unique<Secrets>(*state_, SecretKeyPlace::file);
  }
  Paths paths() const {
    return {folder_ / "data", folder_ / "config", folder_ / "cache", folder_ / "run"};
  }
  void set(std::string_view name, std::string_view text) {
    const auto done = secrets_->set(name, SecretValue(std::string(text)));
    ASSERT_TRUE(done) << done.error().describe();
  }
  /// The value, or what is wrong.
  std::string get(std::string_view name) {
    const auto found = secrets_->get(name);
    if (!found) return "error: " + found.error().message();
    return *found ? (*found)->reveal() : "none";
  }
  /// Everything that lies on disk, in one string.
  std::string disk() const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) all += test::contents_of(entry.path());
    }
    return all;
  }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Secrets> secrets_;
};

TEST_F(SecretsTest, AreGivenBackAsTheyWereAlsoToTheNextProcess) {
  set("key", value);
  set("binary", "with a tab\t and \xFF"sv);
  EXPECT_EQ(get("key"), value);
  reopen();
  EXPECT_EQ(get("key"), value);
  EXPECT_EQ(get("binary"), "with a tab\t and \xFF"sv);
  EXPECT_EQ(get("unknown"), "none");
}

TEST_F(SecretsTest, NeverLieOnDiskAsTheyAre) {
  set("key", value);
  set("key", "the-second-value-of-it");
  const std::string all = disk();
  EXPECT_THAT(all, HasSubstr("key")) << "the test looks at the right files";
  EXPECT_THAT(all, Not(HasSubstr(std::string(value))));
  EXPECT_THAT(all, Not(HasSubstr("the-second-value")));
  EXPECT_THAT(
      all,
      Not(HasSubstr(to_hex({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()}))));
  EXPECT_THAT(all, Not(HasSubstr(to_base64(value))));
}

TEST_F(SecretsTest, TheSameValueIsSealedDifferentlyEachTime) {
  set("one", value);
  set("two", value);
  auto rows = *state_->database().prepare("SELECT COUNT(DISTINCT sealed) FROM secrets");
  ASSERT_TRUE(*rows.step());
  EXPECT_EQ(rows.number(0), 2);
}

TEST_F(SecretsTest, WithAnotherKeyAreAClearErrorAndNotGarbage) {
  set("key", value);
  const auto path = folder_ / "data/secret.key";
  folder_.write("data/secret.key", std::string(32, 'x'));
  test::set_mode(path, 0600);
  EXPECT_THAT(get("key"), HasSubstr("cannot be opened with the key that is here"));
  EXPECT_THAT(get("key"), HasSubstr("belljar secret set key"));
}

TEST_F(SecretsTest, WithoutTheirKeyAreAnErrorThatMakesNoOther) {
  set("key", value);
  const auto path = folder_ / "data/secret.key";
  std::filesystem::remove(path);
  EXPECT_THAT(get("key"), HasSubstr("secret.key: the key is not there; put it back from a backup"));
  EXPECT_FALSE(std::filesystem::exists(path)) << "its backup could not be put back";
}

TEST_F(SecretsTest, WithAKeyThatOthersMayReadAreRefused) {
  set("key", value);
  test::set_mode(folder_ / "data/secret.key", 0644);
  EXPECT_THAT(get("key"), HasSubstr("others may read this key"));
  EXPECT_FALSE(secrets_->set("other", SecretValue(std::string(value))));
}

TEST_F(SecretsTest, CannotBeReadUnderAnotherName) {
  set("mine", value);
  ASSERT_TRUE(state_->database().execute(
      "INSERT INTO secrets SELECT 'theirs', sealed, set_at FROM secrets"));
  EXPECT_THAT(get("theirs"), HasSubstr("cannot be opened"))
      << "a sealed value is bound to its name";
  EXPECT_EQ(get("mine"), value);
}

TEST_F(SecretsTest, ThatWereTamperedWithAreRefused) {
  set("key", value);
  ASSERT_TRUE(state_->database().execute("UPDATE secrets SET sealed = zeroblob(length(sealed))"));
  EXPECT_THAT(get("key"), HasSubstr("cannot be opened"));
  ASSERT_TRUE(state_->database().execute("UPDATE secrets SET sealed = x'00'"));
  EXPECT_THAT(get("key"), HasSubstr("cannot be opened"));
  ASSERT_TRUE(state_->database().execute("UPDATE secrets SET sealed = x''"));
  EXPECT_THAT(get("key"), HasSubstr("cannot be opened"));
}

TEST_F(SecretsTest, ThatAreTooShortToBeFoundInAnAnswerAreRefused) {
  EXPECT_FALSE(secrets_->set("key", SecretValue("1234567")));
  EXPECT_TRUE(secrets_->set("key", SecretValue("12345678")));
  EXPECT_FALSE(secrets_->set("key", SecretValue("")));
}

TEST_F(SecretsTest, A52ThatWouldEndTheirHeaderAreRefused) {
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"a value\r\nX-Injected: 1", "a line break behind 7 bytes"},
           {"a value\nand more", "a line break behind 7 bytes"},
           {"a value\rand more", "a line break behind 7 bytes"},
           {"\na value", "a line break behind 0 bytes"},
           {std::string("a value\0", 8), "a NUL behind 7 bytes"}}) {
    const auto done = secrets_->set("key", SecretValue(std::string(text)));
    ASSERT_FALSE(done) << text;
    EXPECT_THAT(done.error().message(), HasSubstr(what));
    EXPECT_THAT(done.error().message(), Not(HasSubstr("value")));
  }
  EXPECT_EQ(get("key"), "none");
}

TEST_F(SecretsTest, AreListedByNameWithoutTheirValues) {
  set("b", value);
  clock_.advance(std::chrono::seconds(1));
  set("a", value);
  const auto list = *secrets_->list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[0].set_at, clock_.now());
  EXPECT_EQ(list[1].name, "b");
}

TEST_F(SecretsTest, AChangeMovesTheEpochSoThatRunningGuestsLoseWhatWasTakenAway) {
  const std::uint64_t before = state_->epoch().value();
  set("key", value);
  EXPECT_EQ(state_->epoch().value(), before + 1);
  EXPECT_TRUE(*secrets_->remove("key"));
  EXPECT_EQ(state_->epoch().value(), before + 2);
  EXPECT_EQ(get("key"), "none");
  EXPECT_FALSE(*secrets_->remove("key"));
}

TEST_F(SecretsTest, OneIsReadWholeOrNotAtAllWhileAnotherProcessSetsItAgain) {
  set("key", std::string(1'000, 'a'));
  secrets_.reset();
  state_.reset();
  ChildProcess setter([&](ChildProcess::Parent& parent) {
    const auto state = State::open(paths(), clock_);
    if (!state) return 1;
    Secrets secrets(**state, SecretKeyPlace::file);
    for (char letter = 'a';; letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
      if (!secrets.set("key", SecretValue(std::string(1'000, letter)))) return 2;
      parent.tell();
    }
  });
  reopen();
  for (int round = 0; round < 50; ++round) {
    ASSERT_EQ(setter.hear(), '.');
    const std::string seen = get("key");
    ASSERT_EQ(seen, std::string(1'000, seen.front()));
  }
  setter.kill();
  EXPECT_EQ(get("key").size(), 1'000U);
}

TEST(SecretValues, GiveTheirValueToOneOwner) {
  SecretValue first{std::string(value)};
  const SecretValue second(std::move(first));
  EXPECT_EQ(second.reveal(), value);
}

}  // namespace
}  // namespace belljar::store
