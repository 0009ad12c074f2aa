// Handles of resources: which live instance they lead to, and who may use them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "belljar/error.h"

namespace belljar::toolbox {

/// The handles that tools gave out. A handle is bound to the client that got it; its instance
/// lives until its last handle is given back, or until it was not used for a time. Any thread.
class Handles {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    std::chrono::milliseconds idle{std::chrono::minutes{10}};
    /// Live instances that one client may hold, and all together.
    std::size_t per_client = 32;
    std::size_t total = 256;
  };

  /// `end` is called for an instance that nobody can reach any more. Throws `std::system_error` if
  /// the system gives no thread.
  Handles(Options options, std::function<void(std::uint64_t)> end)
      : options_(options),
        end_(std::move(end)),
        watch_([this](const std::stop_token& stop) { watch(stop); }) {}

  /// The live instance that the arguments' handles lead to. Nothing where the arguments name
  /// none; an error where one is unknown, another client's, or of another instance.
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(std::string_view arguments,
                                                          std::string_view client);
  /// Keeps room for one more instance of the client; false where it may not hold one more. What was
  /// reserved counts until it is given back: calls that run at the same time see each other.
  [[nodiscard]] bool reserve(std::string_view client);
  /// Gives back what was reserved, once the call has ended and was settled.
  void release(std::string_view client);
  /// Notes handles that a call gave out. With `live` zero, the instance is gone: its handles are
  /// forgotten.
  void settle(std::uint64_t before, std::uint64_t live, const std::vector<std::string>& given,
              std::string_view client);

 private:
  struct Instance {
    std::string client;
    Clock::time_point used;
  };
  void drop_locked(std::uint64_t live);
  /// Ends instances that were not used for a time.
  void watch(const std::stop_token& stop);

  Options options_;
  std::function<void(std::uint64_t)> end_;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> handles_;
  std::map<std::uint64_t, Instance> instances_;
  /// By client, and all together.
  std::map<std::string, std::size_t, std::less<>> reserved_;
  std::size_t all_reserved_ = 0;
  std::condition_variable_any changed_;
  /// Last, to end before the rest does.
  std::jthread watch_;
};

}  // namespace belljar::toolbox
