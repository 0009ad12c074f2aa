#include "host/opener_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace belljar::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A link whose opener is this test: it reads what is asked and answers as it likes.
class OpenerLinkTest : public ::testing::Test {
 protected:
  OpenerLinkTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
    peer_.reset(pair[1]);
    auto keeper = Keeper::start([](const UniqueFd&) {});
    EXPECT_TRUE(keeper) << keeper.error().describe();
    link_ = std::make_shared<OpenerLink>(*std::move(keeper), Helper{UniqueFd(pair[0]), 1});
  }

  static OpenerLink::Clock::time_point in(milliseconds time) {
    return OpenerLink::Clock::now() + time;
  }
  /// The next question.
  [[nodiscard]] Json next() const {
    auto packet = receive_packet(peer_.get());
    return packet && *packet ? (*packet)->json : Json::object();
  }
  void answer(const Json& question, std::string_view text) const {
    const Json reply{{"id", question.value("id", 0)}, {"text", text}};
    EXPECT_TRUE(send_packet(peer_.get(), to_text(reply)));
  }
  static std::string text_of(const Result<Packet>& packet) {
    return packet ? packet->json.value("text", "") : packet.error().message();
  }

  UniqueFd peer_;
  std::shared_ptr<OpenerLink> link_;
};

TEST_F(OpenerLinkTest, AnswersInAnyOrderReachWhoAsked) {
  const auto first = link_->post({{"kind", "first"}}, in(seconds(60)));
  const auto second = link_->post({{"kind", "second"}}, in(seconds(60)));
  ASSERT_TRUE(first && second);
  const Json one = next();
  const Json other = next();
  answer(other, "to the second");
  answer(one, "to the first");
  EXPECT_EQ(text_of(link_->wait(*first, in(seconds(60)))), "to the first");
  EXPECT_EQ(text_of(link_->wait(*second, in(seconds(60)))), "to the second");
}

TEST_F(OpenerLinkTest, ManyWhoWaitAreAllAnsweredThoughSomeGiveUp) {
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  constexpr int askers = 16;
  for (int i = 0; i < askers; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        // Every other one asks also what nobody answers, and reads for others until it gives up.
        if (i % 2 == 0 && n % 10 == 0) {
          static_cast<void>(link_->ask({{"kind", "nothing"}}, in(milliseconds(1))));
        }
        const std::string text = std::to_string(i * 1'000 + n);
        if (text_of(link_->ask({{"kind", "echo"}, {"text", text}}, in(seconds(60)))) == text) {
          ++good;
        }
      }
    });
  }
  for (int answered = 0; answered < askers * 50;) {
    const Json question = next();
    if (question.value("kind", "") != "echo") continue;
    answer(question, question.value("text", ""));
    ++answered;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, askers * 50);
}

TEST_F(OpenerLinkTest, AnAnswerThatIsLateIsNobodys) {
  const auto late = link_->ask({{"kind", "slow"}}, in(milliseconds(1)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::unavailable);
  answer(next(), "late");
  const auto question = link_->post({{"kind", "quick"}}, in(seconds(60)));
  ASSERT_TRUE(question);
  answer(next(), "in time");
  EXPECT_EQ(text_of(link_->wait(*question, in(seconds(60)))), "in time");
  EXPECT_FALSE(link_->is_worn());
}

TEST_F(OpenerLinkTest, OneThatDoesNotEvenSayThatItIsThereIsGivenUp) {
  // Nobody reads at all.
  EXPECT_FALSE(link_->ask({{"kind", "anything"}}, in(seconds(60))));
  EXPECT_TRUE(link_->is_worn());
}

TEST_F(OpenerLinkTest, OneThatIsGoneIsToldToAllWhoWait) {
  std::vector<std::thread> threads;
  std::atomic<int> told = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      if (!link_->ask({{"kind", "anything"}}, in(seconds(60)))) ++told;
    });
  }
  for (int i = 0; i < 8; ++i) static_cast<void>(next());
  peer_.reset();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told, 8);
  EXPECT_TRUE(link_->is_worn());
}

TEST_F(OpenerLinkTest, OneInWhichTooMuchHangsIsWorn) {
  std::thread opener([this] {
    while (true) {
      const Json question = next();
      const Json reply{{"id", question.value("id", 0)}, {"hanging", 1'000}};
      if (question.value("kind", "") != "ping") continue;
      EXPECT_TRUE(send_packet(peer_.get(), to_text(reply)));
      return;
    }
  });
  EXPECT_FALSE(link_->ask({{"kind", "what hangs"}}, in(milliseconds(2'000))));
  opener.join();
  EXPECT_TRUE(link_->is_worn());
}

}  // namespace
}  // namespace belljar::host
