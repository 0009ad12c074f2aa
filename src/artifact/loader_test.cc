#include "artifact/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::artifact {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view one = R"((module (func (export "one") (result i32) i32.const 1)))";
constexpr std::string_view two = R"((module (func (export "two") (result i32) i32.const 2)))";

/// With the real compiler: how often it ran is seen by its helper, a script in front of it.
class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest()
      : helper_(folder_.write("compiler", "#!/bin/sh\necho >> " + (folder_ / "runs").native() +
                                              "\nexec " BELLJAR_COMPILER_HELPER " \"$@\"\n")) {
    test::set_mode(helper_, 0755);
    test::set_mode(folder_.write("cache/.keep", "").parent_path(), 0700);
  }
  Loader loader() const {
    Loader::Options options;
    options.cache = folder_ / "cache";
    return {std::move(options), compiler_, key_, clock_};
  }
  std::size_t runs() const { return test::contents_of(folder_ / "runs").size(); }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  MacKey key_ = random_bytes<32>();
  std::filesystem::path helper_;
  engine::Compiler compiler_{helper_};
};

TEST_F(LoaderTest, AComponentIsCompiledOnce) {
  const auto file = folder_.write("one.wat", one);
  const auto first = loader().load(file, false);
  ASSERT_TRUE(first) << first.error().describe();
  EXPECT_EQ(first->digest, to_hex(sha256(one)));
  EXPECT_EQ(runs(), 1U);
  const auto again = loader().load(file, false);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->digest, first->digest);
  EXPECT_EQ(runs(), 1U) << "the next process finds it in the cache";
}

TEST_F(LoaderTest, TheSameContentUnderAnotherNameIsTheSame) {
  ASSERT_TRUE(loader().load(folder_.write("one.wat", one), false));
  ASSERT_TRUE(loader().load(folder_.write("copy.wat", one), false));
  EXPECT_EQ(runs(), 1U);
}

TEST_F(LoaderTest, CountingFuelNeedsOtherCode) {
  const auto file = folder_.write("one.wat", one);
  ASSERT_TRUE(loader().load(file, false));
  ASSERT_TRUE(loader().load(file, true));
  EXPECT_EQ(runs(), 2U) << "code without a count would run for ever";
}

TEST_F(LoaderTest, AFileThatChangedIsAnotherComponent) {
  // The clock is late enough for the index to trust the times of files.
  clock_.advance(std::chrono::hours(24 * 3'650));
  const auto file = folder_.write("one.wat", one);
  const Loader kept = loader();
  EXPECT_EQ(*kept.digest(file), to_hex(sha256(one)));
  folder_.write("one.wat", two);
  EXPECT_EQ(*kept.digest(file), to_hex(sha256(two))) << "of the same size, at the same place";
  EXPECT_EQ(kept.load(file, false)->digest, to_hex(sha256(two)));
}

TEST_F(LoaderTest, A12_AfterItsCacheWasPoisonedAComponentIsCompiledAgain) {
  const auto file = folder_.write("one.wat", one);
  ASSERT_TRUE(loader().load(file, false));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "cache/code")) {
    if (entry.path().filename() == "code") std::filesystem::resize_file(entry.path(), 100);
  }
  const auto again = loader().load(file, false);
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_EQ(runs(), 2U);
  EXPECT_GT(again->code.size.value, 100U);
}

TEST_F(LoaderTest, WhatIsNoComponentIsRefusedWithItsPath) {
  const auto file = folder_.write("bad.wasm", "not wasm at all");
  const auto loaded = loader().load(file, false);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().describe(), HasSubstr(file.native()));
  EXPECT_FALSE(loader().load(folder_ / "missing.wasm", false));
  EXPECT_FALSE(loader().load(folder_.path(), false));
  EXPECT_FALSE(loader().load(folder_.write("empty.wasm", ""), false));
}

TEST_F(LoaderTest, AFileOverTheLimitIsRefusedUnread) {
  Loader::Options options;
  options.cache = folder_ / "cache";
  options.file_limit = Bytes{10};
  const Loader small(std::move(options), compiler_, key_, clock_);
  const auto loaded = small.load(folder_.write("one.wat", one), false);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().describe(), HasSubstr("larger than the 10 bytes"));
  EXPECT_EQ(runs(), 0U);
}

TEST_F(LoaderTest, ADescriptionOutlivesTheFile) {
  const auto file = folder_.write("one.wat", one);
  const std::string digest = loader().load(file, false)->digest;
  std::filesystem::remove(file);
  EXPECT_TRUE(loader().find_description(digest));
  EXPECT_FALSE(loader().find_description(std::string(64, '0')));
}

}  // namespace
}  // namespace belljar::artifact
