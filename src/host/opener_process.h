// The helper that opens files for a server that has locked itself in.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "belljar/error.h"
#include "host/live_mount.h"
#include "host/opener.h"
#include "host/opener_wire.h"
#include "store/state.h"
#include "support/clock.h"
#include "support/file.h"

namespace belljar::host {

/// Serves until the server is gone. What it is asked to do in one folder waits in a line of its
/// own, so that a folder that hangs takes a few threads and no more.
class OpenerProcess {
 public:
  OpenerProcess(OpenerAuthority authority, UniqueFd socket)
      : authority_(std::move(authority)), socket_(std::move(socket)) {}

  [[noreturn]] void run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    Json request;
    Clock::time_point deadline;
  };
  /// What is done, and waits to be done, in one folder.
  struct Line {
    std::size_t running = 0;
    std::deque<Job> waiting;
  };

  /// Reads requests and does them. A thread; all but the first end when there are enough.
  void listen(bool first);
  void add_listener();
  /// Does a request, and those of its line that came meanwhile. Called, and returns, with the lock.
  void work(std::unique_lock<std::mutex>& lock, const std::string& name, Job job);
  void serve(const Job& job);
  /// Sends a reply, unless nobody waits for it any more.
  void reply(const Job& job, Json answer, const UniqueFd& descriptor);
  /// Ping and close; false if it is anything else.
  [[nodiscard]] bool answer_at_once(const Job& job);
  /// The folder that a request is about.
  [[nodiscard]] std::string line_of(const Json& request);

  Json answer_to(const Json& request, UniqueFd& descriptor);
  Json perform(const Json& request, UniqueFd& descriptor);
  Json open_mount(const Json& request);
  Json open_component(const std::string& path, UniqueFd& descriptor);
  /// What is granted to a component, read here and nowhere else.
  Result<std::shared_ptr<const policy::Snapshot>> snapshot_of(const store::ComponentKey& key);
  /// Opened when it is first needed: most servers are asked for no files at all.
  Result<store::State*> state();

  struct OpenedMount {
    std::shared_ptr<LiveMount> mount;
    std::string line;
  };

  OpenerAuthority authority_;
  UniqueFd socket_;
  SystemClock clock_;
  std::mutex state_mutex_;
  std::unique_ptr<store::State> state_;

  std::mutex mutex_;
  std::map<std::uint64_t, OpenedMount> mounts_;
  std::uint64_t last_mount_ = 0;
  std::map<std::string, Line> lines_;
  /// Deadlines of what runs now.
  std::multiset<Clock::time_point> running_;
  std::size_t threads_ = 1;
  /// Threads that wait for a request.
  std::size_t listening_ = 1;
};

}  // namespace belljar::host
