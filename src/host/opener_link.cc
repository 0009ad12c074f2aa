#include "host/opener_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "support/result.h"

namespace belljar::host {
namespace {

using std::chrono::milliseconds;

/// Questions that may wait for answers.
constexpr std::size_t maximum_questions = 4'096;
/// An answer that takes longer raises the question whether there will be one.
constexpr milliseconds long_wait{1'000};
/// How long an opener may take to say that it is there.
constexpr milliseconds check_patience{1'000};
/// Operations of one opener that hang before another one takes its place.
constexpr std::uint64_t most_hanging = 64;
/// What the opener still gets to send an answer that is due.
constexpr milliseconds transit{100};

auto late() { return fail(ErrorCode::unavailable, "the folder does not answer"); }

auto gone() { return fail(ErrorCode::unavailable, "the process that opens files is gone"); }

}  // namespace

std::int64_t on_the_wire(OpenerLink::Clock::time_point moment) {
  return std::chrono::floor<milliseconds>(moment.time_since_epoch()).count();
}

OpenerLink::Clock::time_point from_the_wire(std::int64_t count) {
  return OpenerLink::Clock::time_point(milliseconds(count));
}

OpenerLink::OpenerLink(std::shared_ptr<Keeper> keeper, Helper helper)
    : keeper_(std::move(keeper)), helper_(std::move(helper)) {}

OpenerLink::~OpenerLink() { keeper_->end(helper_.number); }

Result<OpenerLink::Question> OpenerLink::post(Json question, Clock::time_point deadline) {
  question["until"] = on_the_wire(deadline);
  Question number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return gone();
    if (slots_.size() >= maximum_questions) {
      return fail(ErrorCode::unavailable, "too many file operations are under way");
    }
    number = ++asked_;
    slots_.emplace(number, std::make_shared<Slot>());
  }
  question["id"] = number;
  auto sent = send(question, deadline);
  if (sent) return number;
  const std::lock_guard lock(mutex_);
  slots_.erase(number);
  return std::unexpected(std::move(sent).error());
}

Result<void> OpenerLink::send(const Json& question, Clock::time_point deadline) {
  BELLJAR_TRY(const std::string text, packet_text(question));
  while (!send_packet(helper_.socket.get(), text, -1, MSG_DONTWAIT)) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left <= milliseconds::zero()) return late();
    // The socket is full: the opener is busy, or does not read any more.
    pollfd entry{.fd = helper_.socket.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(std::min(left, long_wait).count())) == 0) check();
    if ((entry.revents & (POLLERR | POLLHUP)) != 0) break_off();
    if (is_worn()) return gone();
  }
  return {};
}

Result<Packet> OpenerLink::ask(Json question, Clock::time_point deadline) {
  BELLJAR_TRY(const Question number, post(std::move(question), deadline));
  return wait(number, deadline);
}

Result<Packet> OpenerLink::wait(Question question, Clock::time_point deadline) {
  deadline += transit;
  std::unique_lock lock(mutex_);
  const auto found = slots_.find(question);
  if (found == slots_.end()) return gone();
  const std::shared_ptr<Slot> slot = found->second;
  const auto soon = std::min(deadline, Clock::now() + long_wait);
  bool answered = await(lock, slot, soon);
  if (!answered && !broken_ && soon < deadline) {
    lock.unlock();
    check();
    lock.lock();
    answered = await(lock, slot, deadline);
  }
  slots_.erase(question);
  if (answered) return *std::move(slot->answer);
  if (broken_) return gone();
  return late();
}

bool OpenerLink::await(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Slot>& slot,
                       Clock::time_point deadline) {
  while (!slot->answer && !broken_ && Clock::now() < deadline) {
    if (reading_) {
      slot->waits = true;
      slot->arrived.wait_until(lock, deadline);
      slot->waits = false;
    } else {
      reading_ = true;
      read_one(lock, deadline);
      reading_ = false;
    }
  }
  // Whoever leaves sees to it that somebody else reads from now on.
  if (!reading_) {
    const auto next = std::find_if(slots_.begin(), slots_.end(), [](const auto& other) {
      return other.second->waits && !other.second->answer;
    });
    if (next != slots_.end()) next->second->arrived.notify_all();
  }
  return slot->answer.has_value();
}

void OpenerLink::read_one(std::unique_lock<std::mutex>& lock, Clock::time_point deadline) {
  lock.unlock();
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  pollfd entry{.fd = helper_.socket.get(), .events = POLLIN, .revents = 0};
  const int ready =
      ::poll(&entry, 1, static_cast<int>(std::max(left, milliseconds::zero()).count()));
  std::optional<Packet> packet;
  bool lost = ready < 0 && errno != EINTR;
  if (ready > 0) {
    auto received = receive_packet(helper_.socket.get());
    lost = !received || !*received;
    if (!lost) packet = **std::move(received);
  }
  lock.lock();
  if (lost) return break_locked();
  if (!packet) return;
  const auto found = slots_.find(packet->json.value("id", Question{0}));
  // Nobody waits any more; a descriptor that came with it is closed.
  if (found == slots_.end()) return;
  found->second->answer = std::move(packet);
  found->second->arrived.notify_all();
}

void OpenerLink::break_off() {
  const std::lock_guard lock(mutex_);
  break_locked();
}

void OpenerLink::break_locked() {
  broken_ = true;
  worn_.store(true);
  // Wakes whoever reads.
  ::shutdown(helper_.socket.get(), SHUT_RDWR);
  for (const auto& [number, slot] : slots_) slot->arrived.notify_all();
}

void OpenerLink::check() {
  if (checking_.exchange(true)) return;
  const auto deadline = Clock::now() + check_patience;
  const auto finish = [this](bool broken) {
    if (broken) break_off();
    checking_.store(false);
  };
  Question number = 0;
  std::shared_ptr<Slot> slot = std::make_shared<Slot>();
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return finish(false);
    number = ++asked_;
    slots_.emplace(number, slot);
  }
  const Json question{{"kind", "ping"}, {"id", number}, {"until", on_the_wire(deadline)}};
  const bool sent =
      send_packet(helper_.socket.get(), to_text(question), -1, MSG_DONTWAIT).has_value();
  bool answered = false;
  {
    std::unique_lock lock(mutex_);
    answered = sent && await(lock, slot, deadline);
    slots_.erase(number);
    if (answered && slot->answer->json.value("hanging", std::uint64_t{0}) >= most_hanging) {
      worn_.store(true);
    }
  }
  finish(!answered);
}

void OpenerLink::tell(const Json& message) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return;
  }
  if (auto text = packet_text(message)) {
    static_cast<void>(send_packet(helper_.socket.get(), *std::move(text), -1, MSG_DONTWAIT));
  }
}

}  // namespace belljar::host
