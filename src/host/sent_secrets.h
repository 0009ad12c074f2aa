// Which secrets a component has sent to which server.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/secrets.h"

namespace belljar::host {

/// Answers are searched for what could have reached whoever answers, and for nothing else. What was
/// sent once stays known, also when it is set anew or taken back. One per component; any thread.
class SentSecrets {
 public:
  using Value = std::shared_ptr<const store::SecretValue>;
  /// Values of all servers together; the oldest are forgotten first.
  static constexpr std::size_t maximum = 256;

  /// `server` is an origin: scheme, host and port.
  void remember(const std::string& server, const Value& value);
  [[nodiscard]] std::vector<Value> of(const std::string& server) const;

 private:
  struct Sent {
    std::string server;
    Value value;
  };
  mutable std::mutex mutex_;
  std::deque<Sent> sent_;
};

}  // namespace belljar::host
