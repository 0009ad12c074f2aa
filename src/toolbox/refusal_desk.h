// Makes refusals, and what agents ask for, durable before they are told.
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
  void add(std::move_only_function<void()> job);
  void run();
  static void work(Settling settling);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::move_only_function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belljar::toolbox
