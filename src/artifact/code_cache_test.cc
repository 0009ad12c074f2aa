#include "artifact/code_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "testing/child_process.h"
#include "testing/temporary_folder.h"

namespace belljar::artifact {
namespace {

using test::ChildProcess;

const std::string digest(64, 'a');
const std::string fingerprint(64, 'f');

class CodeCacheTest : public ::testing::Test {
 protected:
  CodeCacheTest() {
    folder_.write("cache/.keep", "");
    test::set_mode(folder_ / "cache", 0700);
  }

  std::filesystem::path entry(const std::string& of = digest) const {
    return folder_ / ("cache/" + of + "-" + fingerprint);
  }
  void add(const std::string& of = digest, const std::string& code = "machine code") {
    const auto added = cache_.add(of, fingerprint, {code, R"({"exports":[]})"});
    ASSERT_TRUE(added) << added.error().describe();
  }
  /// The code that is found, read through the path that the engine maps; "none" where there is
  /// none.
  std::string find(const std::string& of = digest, const std::string& compiled_for = fingerprint) {
    const auto cached = cache_.find(of, compiled_for);
    return cached ? test::contents_of(cached->path()) : "none";
  }
  /// Writes over a part of an entry, in place or as a new file.
  void poison(const char* part, const std::string& contents) {
    folder_.write("cache/" + entry().filename().native() + "/" + part, contents);
  }

  test::TemporaryFolder folder_;
  MacKey key_ = random_bytes<32>();
  CodeCache cache_{folder_ / "cache", key_};
};

TEST_F(CodeCacheTest, CodeThatWasAddedIsFoundForItsComponentAndEngineOnly) {
  EXPECT_EQ(find(), "none");
  add();
  EXPECT_EQ(find(), "machine code");
  EXPECT_EQ(find(std::string(64, 'b')), "none");
  EXPECT_EQ(find(digest, std::string(64, 'e')), "none")
      << "another engine version, configuration or CPU";
  EXPECT_EQ(cache_.find(digest, fingerprint)->description, R"({"exports":[]})");
  EXPECT_EQ(cache_.find(digest, fingerprint)->size, Bytes{12});
}

TEST_F(CodeCacheTest, AnEntryIsForThisUserOnlyAndLeavesNothingBeside) {
  add();
  EXPECT_EQ(test::mode_of(entry()), 0700U);
  for (const char* part : {"code", "description", "seal"}) {
    EXPECT_EQ(test::mode_of(entry() / part), 0600U) << part;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "cache"), {}), 2);
}

TEST_F(CodeCacheTest, A12_CodeThatWasChangedInPlaceIsNotUsedAndRemoved) {
  add();
  poison("code", "evil machine");  // of the same size
  EXPECT_EQ(find(), "none");
  EXPECT_FALSE(std::filesystem::exists(entry())) << "a bad entry stays and is checked every time";
  add();
  EXPECT_EQ(find(), "machine code") << "the entry can be made again";
}

TEST_F(CodeCacheTest, A12_CodeThatWasChangedWithItsTimesSetBackIsNotUsed) {
  add();
  const auto time = std::filesystem::last_write_time(entry() / "code");
  poison("code", "evil machine");
  std::filesystem::last_write_time(entry() / "code", time);
  EXPECT_EQ(find(), "none") << "the time of the change cannot be set back";
}

TEST_F(CodeCacheTest, A12_AFileThatWasPutInThePlaceOfTheCodeIsNotUsed) {
  add();
  folder_.write("evil", "evil machine");
  std::filesystem::rename(folder_ / "evil", entry() / "code");
  EXPECT_EQ(find(), "none");
  add();
  std::filesystem::remove(entry() / "code");
  std::filesystem::create_symlink(folder_.write("evil", "evil machine"), entry() / "code");
  EXPECT_EQ(find(), "none");
}

TEST_F(CodeCacheTest, A12_TheCodeOfAnotherComponentIsNotUsed) {
  const std::string other(64, 'b');
  add();
  add(other, "other machine code");
  std::filesystem::copy(
      entry(other), entry(),
      std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  EXPECT_EQ(find(), "none") << "its seal is sound, and for another component";
}

TEST_F(CodeCacheTest, A12_TheCodeOfAnotherEngineIsNotUsed) {
  add();
  const std::string newer(64, 'e');
  std::filesystem::rename(entry(), folder_ / ("cache/" + digest + "-" + newer));
  EXPECT_EQ(find(digest, newer), "none") << "the name says nothing, the seal does";
}

TEST_F(CodeCacheTest, A12_ASealOfAnotherKeyIsNotBelieved) {
  add();
  MacKey other = key_;
  other[7] ^= 1;
  EXPECT_FALSE(CodeCache(folder_ / "cache", other).find(digest, fingerprint));
}

TEST_F(CodeCacheTest, A12_ASealThatWasCutOrChangedIsNotBelieved) {
  add();
  const std::size_t size = test::contents_of(entry() / "seal").size();
  for (std::size_t at = 0; at < size; at += 17) {
    add();
    std::string seal = test::contents_of(entry() / "seal");
    const std::string cut = seal.substr(0, at);
    seal[at] = seal[at] == '0' ? '1' : '0';
    poison("seal", seal);
    EXPECT_EQ(find(), "none") << "changed at " << at;
    add();
    poison("seal", cut);
    EXPECT_EQ(find(), "none") << "cut at " << at;
  }
  add();
  poison("seal", std::string(10'000, '\n'));
  EXPECT_EQ(find(), "none");
  add();
  std::filesystem::remove(entry() / "seal");
  EXPECT_EQ(find(), "none");
}

TEST_F(CodeCacheTest, A12_CodeThatWasCutIsNotUsed) {
  for (const std::size_t size : {0U, 1U, 11U}) {
    add();
    std::filesystem::resize_file(entry() / "code", size);
    EXPECT_EQ(find(), "none") << size;
  }
}

TEST_F(CodeCacheTest, A12_ADescriptionThatWasChangedIsNotUsed) {
  add();
  poison("description", R"({"exports":["x"]})");
  EXPECT_EQ(find(), "none");
}

TEST_F(CodeCacheTest, A12_WhatOthersMayWriteToIsNotUsed) {
  add();
  test::set_mode(entry() / "code", 0666);
  EXPECT_EQ(find(), "none") << "it could change after it was checked";
  add();
  test::set_mode(entry(), 0777);
  EXPECT_EQ(find(), "none");
  add();
  test::set_mode(folder_ / "cache", 0777);
  EXPECT_EQ(find(), "none");
  const auto added = cache_.add(digest, fingerprint, {"code", "{}"});
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().describe(), ::testing::HasSubstr("chmod go-w"));
}

TEST_F(CodeCacheTest, A12_WhatBelongsToAnotherUserIsNotUsed) {
  // Only root can give a file away; for others the system itself keeps foreign files out.
  if (::geteuid() != 0) return;
  add();
  ASSERT_EQ(::chown((entry() / "code").c_str(), 65'534, 65'534), 0);
  EXPECT_EQ(find(), "none");
  add();
  ASSERT_EQ(::chown(entry().c_str(), 65'534, 65'534), 0);
  EXPECT_EQ(find(), "none");
}

TEST_F(CodeCacheTest, ACopiedCacheIsCheckedInFullOnceAndThenTrusted) {
  add();
  std::filesystem::copy(folder_ / "cache", folder_ / "copy",
                        std::filesystem::copy_options::recursive);
  const CodeCache copy(folder_ / "copy", key_);
  const auto copied = folder_ / ("copy/" + entry().filename().native());
  const std::string before = test::contents_of(copied / "seal");
  ASSERT_TRUE(copy.find(digest, fingerprint));
  const std::string sealed_again = test::contents_of(copied / "seal");
  EXPECT_NE(sealed_again, before) << "it would be read in full at every load";
  ASSERT_TRUE(copy.find(digest, fingerprint));
  EXPECT_EQ(test::contents_of(copied / "seal"), sealed_again);
}

TEST_F(CodeCacheTest, CodeStaysTheOneThatWasCheckedWhileItsEntryIsExchanged) {
  add();
  const auto cached = cache_.find(digest, fingerprint);
  ASSERT_TRUE(cached);
  std::filesystem::remove_all(entry());
  add(digest, "evil machine");
  EXPECT_EQ(test::contents_of(cached->path()), "machine code");
}

TEST_F(CodeCacheTest, OfTwoThatAddTheSameOneWinsAndBothFindIt) {
  add();
  add(digest, "the same, compiled again");
  EXPECT_EQ(find(), "machine code");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "cache"), {}), 2);
}

TEST_F(CodeCacheTest, A71_AProcessThatIsKilledWhileItAddsLeavesAWholeEntryOrNone) {
  const std::string code(1 << 20, 'c');
  for (int round = 0; round < 10; ++round) {
    const std::string name(64, static_cast<char>('0' + round));
    ChildProcess adder([&](ChildProcess::Parent& parent) {
      parent.tell();
      return cache_.add(name, fingerprint, {code, "{}"}) ? 0 : 1;
    });
    ASSERT_EQ(adder.hear(), '.');
    for (int spin = 0; spin < round * 200; ++spin) static_cast<void>(::getppid());
    adder.kill();
    const std::string found = find(name);
    EXPECT_TRUE(found == "none" || found == code) << "in round " << round;
    add(name, code);
    EXPECT_EQ(find(name), code);
  }
}

TEST_F(CodeCacheTest, ACheckCountsWhatIsBad) {
  add();
  add(std::string(64, 'b'));
  poison("code", "evil machine");
  const auto health = cache_.check();
  EXPECT_EQ(health.entries, 2U);
  EXPECT_EQ(health.bad, 1U);
  EXPECT_EQ(health.size, Bytes{12});
}

TEST_F(CodeCacheTest, TrimmingTakesWhatAKilledProcessLeftHalfMade) {
  const auto left = folder_ / "cache/.new-left";
  const auto under_way = folder_ / "cache/.new-under-way";
  for (const auto& folder : {left, under_way}) std::filesystem::create_directory(folder);
  std::filesystem::last_write_time(
      left, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  cache_.trim(Bytes{1 << 20});
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(under_way));
}

TEST_F(CodeCacheTest, TrimmingTakesWhatWasUsedLongestAgo) {
  const auto old = std::filesystem::file_time_type::clock::now();
  for (int i = 0; i < 4; ++i) {
    const std::string name(64, static_cast<char>('0' + i));
    add(name, std::string(100, 'c'));
    std::filesystem::last_write_time(entry(name) / "seal", old - std::chrono::hours(100 - i));
  }
  EXPECT_EQ(find(std::string(64, '0')), std::string(100, 'c')) << "using it makes it new";
  cache_.trim(Bytes{250});
  EXPECT_NE(find(std::string(64, '0')), "none");
  EXPECT_EQ(find(std::string(64, '1')), "none");
  EXPECT_EQ(find(std::string(64, '2')), "none");
  EXPECT_NE(find(std::string(64, '3')), "none");
}

}  // namespace
}  // namespace belljar::artifact
