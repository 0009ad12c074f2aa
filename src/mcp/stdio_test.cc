#include "mcp/stdio.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <future>
#include <semaphore>

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

TEST(LineReaderTest, ReadsFilesAndSocketsAndTerminalsToo) {
  const std::string input = "one\ntwo\n";
  std::array<int, 2> sockets{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()), 0);
  const UniqueFd socket(sockets[0]);
  UniqueFd peer(sockets[1]);
  ASSERT_TRUE(write_all(peer.get(), input));
  peer.reset();

  const UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(file.get(), input));
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);

  const UniqueFd keyboard(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::grantpt(keyboard.get()), 0);
  ASSERT_EQ(::unlockpt(keyboard.get()), 0);
  const UniqueFd terminal(::open(::ptsname(keyboard.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  constexpr char end_of_input = 4;
  ASSERT_TRUE(write_all(keyboard.get(), input + end_of_input));

  const std::array<std::pair<const char*, const UniqueFd*>, 3> inputs{
      {{"socket", &socket}, {"file", &file}, {"terminal", &terminal}}};
  for (const auto& [name, descriptor] : inputs) {
    SCOPED_TRACE(name);
    Frames frames;
    const volatile std::sig_atomic_t stop = 0;
    LineReader(descriptor->get(), Bytes{100}).run(frames, stop);
    EXPECT_THAT(frames.seen, ElementsAre("one", "two", "(end)"));
  }
}

/// Tells of each line that was handled, for a peer that waits for that as a client with one call
/// in flight does.
class Replies final : public FrameHandler {
 public:
  void on_frame(std::string_view text) override {
    seen.emplace_back(text);
    handled.release();
  }
  void on_oversized_frame() override { seen.emplace_back("(oversized)"); }
  void on_end() override { seen.emplace_back("(end)"); }
  std::vector<std::string> seen;
  std::counting_semaphore<> handled{0};
};

TEST(LineReaderTest, TakesEveryLineOfAPeerThatWaitsForEachAnswer) {
  constexpr int lines = 5'000;
  Pipe pipe;
  Replies replies;
  auto peer = std::async(std::launch::async, [&] {
    int answered = 0;
    for (; answered < lines; ++answered) {
      if (!write_all(pipe.in.get(), std::to_string(answered) + "\n")) break;
      // Only a line that was lost takes so long.
      if (!replies.handled.try_acquire_for(std::chrono::seconds(30))) break;
    }
    pipe.in.reset();
    return answered;
  });
  const volatile std::sig_atomic_t stop = 0;
  LineReader(pipe.out.get(), Bytes{100}).run(replies, stop);
  EXPECT_EQ(peer.get(), lines) << "a line was lost";
  ASSERT_EQ(replies.seen.size(), lines + 1U);
  EXPECT_EQ(replies.seen[lines - 1], std::to_string(lines - 1));
}

constexpr std::chrono::nanoseconds quick = Wakefulness::quick_wait / 2;
constexpr std::chrono::nanoseconds slow = Wakefulness::quick_wait;

TEST(WakefulnessTest, StaysAwakeOnlyAfterAMessageThatCameQuickly) {
  Wakefulness wakefulness;
  EXPECT_FALSE(wakefulness.stays_awake()) << "nothing is known of the peer";
  wakefulness.note(false, false, quick);
  EXPECT_TRUE(wakefulness.stays_awake());
  wakefulness.note(true, true, quick);
  EXPECT_TRUE(wakefulness.stays_awake());
  wakefulness.note(true, false, slow);
  wakefulness.note(false, false, slow);
  wakefulness.note(false, false, slow);
  EXPECT_FALSE(wakefulness.stays_awake()) << "the peer takes its time";
}

/// How many quick messages are slept through before the next one is waited for awake.
std::uint32_t slept_through(Wakefulness& wakefulness) {
  std::uint32_t count = 0;
  for (; !wakefulness.stays_awake(); ++count) wakefulness.note(false, false, quick);
  return count;
}

TEST(WakefulnessTest, TriesLessAndLessOftenWhatIsInVain) {
  Wakefulness wakefulness;
  wakefulness.note(false, false, quick);
  for (std::uint32_t pause = 1; pause < Wakefulness::longest_pause; pause *= 2) {
    wakefulness.note(true, false, quick);
    EXPECT_EQ(slept_through(wakefulness), pause);
  }
  for (int i = 0; i < 2; ++i) {
    wakefulness.note(true, false, quick);
    EXPECT_EQ(slept_through(wakefulness), Wakefulness::longest_pause);
  }
  wakefulness.note(true, true, quick);
  wakefulness.note(true, false, quick);
  EXPECT_EQ(slept_through(wakefulness), 1U) << "what paid once is tried again soon";
}

TEST(LineWriterTest, KeepsWhatThePeerDoesNotTakeAtOnce) {
  Pipe pipe;
  LineWriter writer(pipe.in.get());
  ASSERT_TRUE(writer.start());
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
  ASSERT_TRUE(writer.start());
  const std::string frame(256 << 10, 'x');
  int sent = 0;
  while (sent < 100 && writer.send(frame)) ++sent;
  EXPECT_LT(sent, 100);
  EXPECT_FALSE(writer.send(frame));
  EXPECT_EQ(given_up, 1);
}

}  // namespace
}  // namespace belljar::mcp
