#include "support/shared_library.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace belljar {
namespace {

struct Compression : SharedLibrary {
  explicit Compression(const char* name) : SharedLibrary(name) {}
  BELLJAR_LIBRARY_FUNCTION(crc32);
};

TEST(SharedLibraryTest, CallsAFunctionOfALibraryThatIsOpenedAtRunTime) {
  const Compression library("libz.so.1");
  ASSERT_TRUE(library.opened()) << library.opened().error().describe();
  constexpr unsigned char check[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  EXPECT_EQ(library.crc32(0, check, sizeof check), 0xCBF43926U) << "the CRC's own check value";
}

TEST(SharedLibraryTest, NamesTheLibraryThatIsMissing) {
  const Compression library("libbelljar-has-no-such-library.so.1");
  const auto opened = library.opened();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("libbelljar-has-no-such-library.so.1"), std::string::npos)
      << opened.error().message();
}

TEST(SharedLibraryTest, NamesTheFunctionThatIsMissing) {
  const Compression library("libm.so.6");
  const auto opened = library.opened();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("crc32"), std::string::npos) << opened.error().message();
}

}  // namespace
}  // namespace belljar
