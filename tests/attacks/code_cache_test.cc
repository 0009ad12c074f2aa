// Compiled code that somebody put into the cache: native code, were it ever mapped.

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "attack.h"

namespace belljar::attacks {
namespace {

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A component with healthy.wat's interface that answers something else.
constexpr std::string_view evil_component = R"((component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.const 666)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))))";

class CodeCacheAttack : public Attack {
 protected:
  void SetUp() override {
    expect_healthy();
    healthy_ = entries();
    ASSERT_EQ(healthy_.size(), 1U);
    write("evil.wat", evil_component);
    ASSERT_EQ(run({"call", "evil.wat", "add", "a=1", "b=1"}).out, "666\n");
    evil_ = other_than(healthy_);
    // Code that counts fuel is made for another configuration of the engine.
    ASSERT_EQ(run({"call", "evil.wat", "add", "a=1", "b=1", "--grant", "limit=fuel=5e9"}).code, 0);
    auto known = healthy_;
    known.push_back(evil_);
    other_engine_ = other_than(known);
  }
  std::filesystem::path cache() const { return home() / "cache/code"; }
  std::vector<std::filesystem::path> entries() const {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(cache()))
      all.push_back(entry.path());
    return all;
  }
  std::filesystem::path other_than(const std::vector<std::filesystem::path>& known) const {
    std::filesystem::path found;
    const auto all = entries();
    for (const auto& entry : all) {
      if (std::find(known.begin(), known.end(), entry) == known.end()) found = entry;
    }
    EXPECT_FALSE(found.empty()) << "nothing new was cached";
    return found;
  }
  std::filesystem::path entry() const { return healthy_.front(); }
  void take_place(const std::filesystem::path& from, const std::filesystem::path& to,
                  std::initializer_list<const char*> parts) const {
    for (const char* const part : parts) {
      std::filesystem::copy_file(from / part, to / part,
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  /// The right answer comes, from new code; a server that runs gives it as well; the log shows
  /// which content was run.
  void expect_compiled_again(const std::string& poison, const char* part = "code") {
    expect_healthy();
    EXPECT_NE(contents_of(entry() / part), poison) << "the poison still lies in the cache";
    const auto server = serve();
    expect_healthy(*server);
    EXPECT_EQ(server->end(), 0);
    const std::string digest = entry().filename().native().substr(0, 64);
    expect_record({{"kind", "load"}, {"component", "healthy"}, {"digest", digest}});
    expect_record(
        {{"kind", "call"}, {"tool", "healthy_add"}, {"digest", digest}, {"outcome", "returned"}});
    expect_sound_log();
  }

  std::vector<std::filesystem::path> healthy_;
  std::filesystem::path evil_;
  std::filesystem::path other_engine_;
};

using A12 = CodeCacheAttack;

TEST_F(A12, CodeThatWasExchangedIsNotUsed) {
  const std::string poison = contents_of(evil_ / "code");
  take_place(evil_, entry(), {"code"});
  expect_compiled_again(poison);
}

TEST_F(A12, CodeThatWasChangedByOneBitIsNotUsed) {
  std::string poison = contents_of(entry() / "code");
  poison[poison.size() / 2] = static_cast<char>(poison[poison.size() / 2] ^ 1);
  write(std::filesystem::relative(entry() / "code", folder()), poison);
  expect_compiled_again(poison);
}

TEST_F(A12, CodeThatWasCutIsNotUsed) {
  constexpr std::size_t left = 4'096;
  ASSERT_GT(std::filesystem::file_size(entry() / "code"), left);
  std::filesystem::resize_file(entry() / "code", left);
  expect_compiled_again(contents_of(entry() / "code"));
  EXPECT_GT(std::filesystem::file_size(entry() / "code"), left);
}

TEST_F(A12, AWholeEntryOfAnotherComponentWithItsSealOfThisKeyIsNotUsed) {
  const std::string poison = contents_of(evil_ / "code");
  take_place(evil_, entry(), {"code", "description", "seal"});
  expect_compiled_again(poison);
}

TEST_F(A12, CodeForAnotherEngineUnderThisOnesNameIsNotUsed) {
  const std::string poison = contents_of(other_engine_ / "code");
  const auto place = evil_;
  std::filesystem::remove_all(place);
  std::filesystem::rename(other_engine_, place);
  EXPECT_EQ(run({"call", "evil.wat", "add", "a=1", "b=1"}).out, "666\n");
  EXPECT_NE(contents_of(place / "code"), poison) << "code for another configuration was taken";
  expect_compiled_again(poison);
}

TEST_F(A12, ASealOfAWrongKeyIsNotUsed) {
  std::string seal = contents_of(entry() / "seal");
  seal[seal.size() - 5] = seal[seal.size() - 5] == '0' ? '1' : '0';
  write(std::filesystem::relative(entry() / "seal", folder()), seal);
  expect_compiled_again(seal, "seal");
}

TEST_F(A12, ALinkToCodeElsewhereIsNotUsed) {
  const auto poison = write("poison", contents_of(evil_ / "code"));
  std::filesystem::remove(entry() / "code");
  std::filesystem::create_symlink(poison, entry() / "code");
  expect_compiled_again(contents_of(poison));
}

TEST_F(A12, ACacheThatEverybodyMayWriteToIsRefused) {
  ASSERT_EQ(::chmod(cache().c_str(), 0777), 0);
  take_place(evil_, entry(), {"code"});
  const CommandResult result = run({"call", "healthy.wat", "add", "a=19", "b=23"});
  EXPECT_EQ(result.code, 6) << result.out;
  EXPECT_THAT(result.err, testing::HasSubstr("chmod go-w"));
  ASSERT_EQ(::chmod(cache().c_str(), 0700), 0);
  expect_compiled_again(contents_of(evil_ / "code"));
}

TEST_F(A12, TheDoctorSaysThatTheCacheWasPoisoned) {
  take_place(evil_, entry(), {"code"});
  const CommandResult result = run({"doctor"});
  EXPECT_THAT(result.out + result.err,
              testing::HasSubstr("1 of 3 entries of compiled code are damaged"));
  expect_compiled_again(contents_of(evil_ / "code"));
}

}  // namespace
}  // namespace belljar::attacks
