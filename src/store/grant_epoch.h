// One word that all processes see: it changes whenever a permission does.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

#include "belljar/error.h"

namespace belljar::store {

/// The grant epoch, in a memory-mapped file. Reading it is one atomic load.
class GrantEpoch {
 public:
  [[nodiscard]] static Result<GrantEpoch> open(const std::filesystem::path& path);
  GrantEpoch(GrantEpoch&& other) noexcept;
  GrantEpoch& operator=(GrantEpoch&&) = delete;
  ~GrantEpoch();

  [[nodiscard]] std::uint64_t value() const noexcept {
    return std::atomic_ref(*word_).load(std::memory_order_acquire);
  }
  /// Tells every process that permissions have changed. Called after the change is durable.
  void advance() noexcept { std::atomic_ref(*word_).fetch_add(1, std::memory_order_acq_rel); }

 private:
  explicit GrantEpoch(std::uint64_t* word) : word_(word) {}
  std::uint64_t* word_;
};

}  // namespace belljar::store
