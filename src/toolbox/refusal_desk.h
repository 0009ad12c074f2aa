// Makes refusals, and what agents ask for, durable before they are told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "belljar/outcome.h"
#include "host/component_host.h"
#include "store/grants.h"

namespace belljar::toolbox {

/// Gives refusals their request ids, writes them to the state and the log, and calls back once
/// they are on disk. Works on a thread of its own, so that no call waits for another's disk.
///
/// What cannot be noted is told all the same, with the reason and without an id: at once if the
/// log cannot be written, and after two seconds if the state is held by another process.
class RefusalDesk {
 public:
  /// What it was given, with ids, and whether that is on disk.
  using Done = std::move_only_function<void(std::vector<Refusal>, Result<void> noted)>;

  RefusalDesk();
  ~RefusalDesk();
  RefusalDesk(const RefusalDesk&) = delete;
  RefusalDesk& operator=(const RefusalDesk&) = delete;

  void settle(std::shared_ptr<host::ComponentHost> component, std::string tool,
              std::vector<Refusal> refusals, Done done);
  /// Notes that an agent asks for a permission, and tells the request's id.
  void note_request(std::shared_ptr<host::ComponentHost> component, policy::Grant grant,
                    std::string reason, std::move_only_function<void(Result<std::string>)> done);

 private:
  struct Settling {
    std::shared_ptr<host::ComponentHost> component;
    std::string tool;
    std::vector<Refusal> refusals;
    Done done;
  };
  struct Asking {
    std::shared_ptr<host::ComponentHost> component;
    store::Wish wish;
    std::move_only_function<void(Result<std::string>)> done;
  };
  struct Job {
    std::chrono::steady_clock::time_point until;
    /// Does it, or says why it cannot be done.
    std::move_only_function<void(Result<void> may)> work;
  };
  void add(std::move_only_function<void(Result<void>)> work);
  void run();
  static void settle_now(Settling settling, Result<void> may);
  static void ask_now(Asking asking, Result<void> may);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belljar::toolbox
