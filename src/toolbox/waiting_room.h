// Room for the arguments of calls that wait, whatever they wait for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "support/units.h"

namespace belljar::toolbox {

/// A client may send many calls, each with arguments of some MiB, and all of them may have to wait:
/// for a place, for grants that are read, for code that is compiled. What they keep meanwhile has
/// one bound. Any thread.
class WaitingRoom {
 public:
  /// A copy that takes room for as long as it is there. It may outlive the room.
  class Kept {
   public:
    Kept(Kept&&) noexcept = default;
    Kept& operator=(Kept&&) noexcept = default;
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    ~Kept();

    [[nodiscard]] std::string_view text() const noexcept { return *text_; }

   private:
    friend class WaitingRoom;
    Kept(std::shared_ptr<std::atomic<std::uint64_t>> used, std::string_view text)
        : used_(std::move(used)), text_(std::make_unique<const std::string>(text)) {}

    std::shared_ptr<std::atomic<std::uint64_t>> used_;
    /// Null after a move.
    std::unique_ptr<const std::string> text_;
  };

  explicit WaitingRoom(Bytes most = Bytes{std::uint64_t{64} << 20})
      : most_(most.value), used_(std::make_shared<std::atomic<std::uint64_t>>(0)) {}

  /// Nothing where others keep too much already. Alone, a call may keep whatever it brings.
  [[nodiscard]] std::optional<Kept> keep(std::string_view text);

 private:
  std::uint64_t most_;
  std::shared_ptr<std::atomic<std::uint64_t>> used_;
};

}  // namespace belljar::toolbox
