// The body of a request between the guest, which provides it, and the egress, which sends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "host/method_override.h"

namespace belljar::host {

/// Holds at most a window of bytes more than were asked to wait, in pieces that are worth their
/// room: what a guest writes, and how, decides what the host holds by its bytes alone.
class RequestBody {
 public:
  /// Bytes that wait for the network before the guest is asked to wait as well.
  static constexpr std::size_t window = 256 * 1024;
  /// A piece is filled up to so many bytes before another is begun.
  static constexpr std::size_t piece = 16 * 1024;

  explicit RequestBody(std::optional<std::uint64_t> length) : length_(length) {}

  // The guest's side; any thread.
  /// False asks to wait until `Portion::wants_more`. Empty pieces are nothing.
  [[nodiscard]] bool provide(std::string_view bytes);
  void finish();
  void abort();

  // The sender's side.
  /// From now on, a body that names another method is not sent to its end.
  void watch_for(OverrideScanner scanner) { scanner_ = std::move(scanner); }
  struct Portion {
    std::size_t size = 0;
    /// There is nothing now, and more will come.
    bool wait = false;
    /// A guest that was asked to wait may go on.
    bool wants_more = false;
    /// Why the body cannot be sent to its end; empty otherwise.
    std::string problem;
  };
  /// Takes what fits.
  [[nodiscard]] Portion take(char* buffer, std::size_t room);
  /// Pieces that are held; for tests.
  [[nodiscard]] std::size_t pieces() const;

 private:
  [[nodiscard]] Portion fill(char* buffer, std::size_t room, bool& last);

  mutable std::mutex mutex_;
  const std::optional<std::uint64_t> length_;
  std::deque<std::string> pieces_;
  std::size_t bytes_ = 0;
  std::size_t offset_ = 0;
  std::uint64_t provided_ = 0;
  std::uint64_t sent_ = 0;
  bool finished_ = false;
  bool throttled_ = false;
  std::string problem_;
  /// Only the sender touches it.
  std::optional<OverrideScanner> scanner_;
};

}  // namespace belljar::host
