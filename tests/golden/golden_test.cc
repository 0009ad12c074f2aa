// Replays the golden files. BELLJAR_REWRITE_GOLDEN=1 writes the answers of now into them; what has
// changed is then for a person to read and agree to.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "golden_file.h"
#include "support/file.h"
#include "support/text.h"
#include "workbench.h"

namespace belljar::golden {
namespace {

std::vector<std::string> golden_files() {
  const std::filesystem::path folder = BELLJAR_GOLDEN_FOLDER;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".golden") {
      files.push_back(std::filesystem::relative(entry.path(), folder).native());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Where two texts part, with the lines there.
std::string first_difference(std::string_view wanted, std::string_view got) {
  const auto wanted_lines = split(wanted, '\n');
  const auto got_lines = split(got, '\n');
  for (std::size_t i = 0; i < std::max(wanted_lines.size(), got_lines.size()); ++i) {
    const std::string_view before = i < wanted_lines.size() ? wanted_lines[i] : "(the end)";
    const std::string_view now = i < got_lines.size() ? got_lines[i] : "(the end)";
    if (before != now) {
      return "line " + std::to_string(i + 1) + "\n  in the file: " + std::string(before) +
             "\n  now:         " + std::string(now);
    }
  }
  return "nowhere";
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() {
    auto made = Workbench::create();
    ASSERT_TRUE(made) << made.error().describe();
    workbench = *std::move(made);
  }
  static void TearDownTestSuite() { workbench.reset(); }

  inline static std::unique_ptr<Workbench> workbench;
};

TEST_P(GoldenTest, GivesTheSameAnswers) {
  const std::filesystem::path path = std::filesystem::path(BELLJAR_GOLDEN_FOLDER) / GetParam();
  const auto text = read_file(path, Bytes{1 << 20});
  ASSERT_TRUE(text) << text.error().describe();
  const std::string now = GoldenFile(workbench->runtime(), GetParam()).replay(*text);
  if (now == *text) return;
  if (std::getenv("BELLJAR_REWRITE_GOLDEN") != nullptr) {
    const auto written = write_file_atomically(path, now, 0644);
    ASSERT_TRUE(written) << written.error().describe();
    return;
  }
  FAIL() << path.native() << " has other answers than it had, " << first_difference(*text, now)
         << "\nWhere that is meant, run this test with BELLJAR_REWRITE_GOLDEN=1 and read the diff.";
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (const char character : info.param.substr(0, info.param.rfind('.'))) {
    name += std::isalnum(static_cast<unsigned char>(character)) != 0 ? character : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenTest, testing::ValuesIn(golden_files()), test_name);

}  // namespace
}  // namespace belljar::golden
