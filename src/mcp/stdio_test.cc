#include "mcp/stdio.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <future>

namespace belljar::mcp {
namespace {

using testing::ElementsAre;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

class Frames final : public FrameHandler {
 public:
  void on_frame(std::string_view text) override { seen.emplace_back(text); }
  void on_oversized_frame() override { seen.emplace_back("(oversized)"); }
  void on_end() override { seen.emplace_back("(end)"); }
  std::vector<std::string> seen;
};

std::vector<std::string> frames_of(std::string_view input, Bytes limit) {
  Pipe pipe;
  if (!write_all(pipe.in.get(), input)) throw std::runtime_error("no write");
  pipe.in.reset();
  Frames frames;
  const volatile std::sig_atomic_t stop = 0;
  LineReader(pipe.out.get(), limit).run(frames, stop);
  return frames.seen;
}

TEST(LineReaderTest, HandsOverLinesAndLeavesBlankOnesOut) {
  EXPECT_THAT(frames_of("one\r\n\n \t\ntwo\nunfinished", Bytes{100}),
              ElementsAre("one", "two", "(end)"));
}

TEST(LineReaderTest, SkipsWhatIsTooLongAndGoesOn) {
  const std::string longest(100, 'x');
  EXPECT_THAT(frames_of(longest + "\n" + longest + "x\nnext\n", Bytes{100}),
              ElementsAre(longest, "(oversized)", "next", "(end)"));
}

TEST(LineWriterTest, KeepsWhatThePeerDoesNotTakeAtOnce) {
  Pipe pipe;
  LineWriter writer(pipe.in.get());
  const std::string large(1 << 20, 'x');
  EXPECT_TRUE(writer.send(large));
  EXPECT_TRUE(writer.send("last"));
  std::string read;
  std::array<char, 65'536> buffer{};
  while (!read.ends_with("last\n")) {
    const ssize_t count = ::read(pipe.out.get(), buffer.data(), buffer.size());
    ASSERT_GT(count, 0);
    read.append(buffer.data(), static_cast<std::size_t>(count));
  }
  EXPECT_EQ(read, large + "\nlast\n");
}

TEST(LineWriterTest, GivesUpAPeerThatNeverReadsAndSaysSoOnce) {
  Pipe pipe;
  int given_up = 0;
  LineWriter writer(pipe.in.get(), [&] { ++given_up; }, Bytes{1 << 20});
  const std::string frame(256 << 10, 'x');
  int sent = 0;
  while (sent < 100 && writer.send(frame)) ++sent;
  EXPECT_LT(sent, 100);
  EXPECT_FALSE(writer.send(frame));
  EXPECT_EQ(given_up, 1);
}

}  // namespace
}  // namespace belljar::mcp
