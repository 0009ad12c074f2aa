// Makes refusals durable before they are told.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "belljar/outcome.h"
#include "host/component_host.h"

namespace belljar::toolbox {

/// Gives refusals their request ids, writes them to the state and the log, and calls back once
/// they are on disk. Works on a thread of its own, so that no call waits for another's disk.
class RefusalDesk {
 public:
  using Done = std::move_only_function<void(std::vector<Refusal>, bool durable)>;

  RefusalDesk();
  ~RefusalDesk();
  RefusalDesk(const RefusalDesk&) = delete;
  RefusalDesk& operator=(const RefusalDesk&) = delete;

  void settle(std::shared_ptr<host::ComponentHost> component, std::string tool,
              std::vector<Refusal> refusals, Done done);

 private:
  struct Job {
    std::shared_ptr<host::ComponentHost> component;
    std::string tool;
    std::vector<Refusal> refusals;
    Done done;
  };
  void run();
  static void work(Job job);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belljar::toolbox
