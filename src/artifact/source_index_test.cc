#include "artifact/source_index.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace belljar::artifact {
namespace {

class SourceIndexTest : public ::testing::Test {
 protected:
  std::filesystem::path entry() const {
    return std::filesystem::directory_iterator(folder_.path())->path();
  }

  test::TemporaryFolder folder_;
  test::ManualClock clock_;
  MacKey key_ = random_bytes<32>();
  SourceIndex index_{folder_.path(), key_, clock_};
  std::string digest_ = std::string(64, 'd');
  FileIdentity identity_{
      .device = 1, .inode = 2, .size = 3, .modified_nanoseconds = 4, .changed_nanoseconds = 5};
};

TEST_F(SourceIndexTest, RemembersTheDigestOfAFileThatHasNotChanged) {
  EXPECT_EQ(index_.find(identity_), std::nullopt);
  index_.remember(identity_, digest_);
  EXPECT_EQ(index_.find(identity_), digest_);
  EXPECT_EQ(test::mode_of(entry()), 0600U);
}

TEST_F(SourceIndexTest, EveryPartOfAnIdentityCounts) {
  index_.remember(identity_, digest_);
  const auto other = [&](auto change) {
    FileIdentity changed = identity_;
    change(changed);
    return index_.find(changed);
  };
  EXPECT_EQ(other([](FileIdentity& i) { ++i.device; }), std::nullopt);
  EXPECT_EQ(other([](FileIdentity& i) { ++i.inode; }), std::nullopt);
  EXPECT_EQ(other([](FileIdentity& i) { ++i.size; }), std::nullopt);
  EXPECT_EQ(other([](FileIdentity& i) { ++i.modified_nanoseconds; }), std::nullopt);
  EXPECT_EQ(other([](FileIdentity& i) { ++i.changed_nanoseconds; }), std::nullopt);
}

TEST_F(SourceIndexTest, AFileThatChangedAMomentAgoIsNotRemembered) {
  const auto now = std::chrono::nanoseconds(clock_.now().time_since_epoch()).count();
  identity_.changed_nanoseconds = now - 1'000'000'000;
  index_.remember(identity_, digest_);
  EXPECT_EQ(index_.find(identity_), std::nullopt)
      << "it could change again within the resolution of its times";
  clock_.advance(std::chrono::seconds(2));
  index_.remember(identity_, digest_);
  EXPECT_EQ(index_.find(identity_), digest_);
  identity_.changed_nanoseconds = now + 3'600'000'000'000;
  index_.remember(identity_, digest_);
  EXPECT_EQ(index_.find(identity_), std::nullopt) << "a file from the future";
}

TEST_F(SourceIndexTest, A12_AnEntryThatSomebodyElseWroteIsNotBelieved) {
  index_.remember(identity_, digest_);
  const std::string sound = test::contents_of(entry());
  const auto with = [&](const std::string& contents) {
    folder_.write(entry().filename().native(), contents);
    return index_.find(identity_);
  };
  std::string forged = sound;
  forged[forged.find('d')] = 'e';
  EXPECT_EQ(with(forged), std::nullopt) << "another digest under the old seal";
  for (std::size_t length = 0; length < sound.size(); length += 7) {
    EXPECT_EQ(with(sound.substr(0, length)), std::nullopt) << "cut after " << length;
  }
  EXPECT_EQ(with(""), std::nullopt);
  EXPECT_EQ(with(std::string(5'000, 'x')), std::nullopt);
  EXPECT_EQ(with(sound + sound), std::nullopt);
  EXPECT_EQ(with(sound), digest_);
  MacKey other = key_;
  other[0] ^= 1;
  EXPECT_EQ(SourceIndex(folder_.path(), other, clock_).find(identity_), std::nullopt);
}

TEST_F(SourceIndexTest, AnEntryOfOneFileDoesNotServeAnother) {
  index_.remember(identity_, digest_);
  FileIdentity other = identity_;
  other.inode = 99;
  index_.remember(other, std::string(64, 'e'));
  std::filesystem::copy_file(folder_ / "1-2", folder_ / "1-63",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(index_.find(other), std::nullopt) << "sealed, and for another file";
}

}  // namespace
}  // namespace belljar::artifact
