// One granted folder over its whole life: before it is open, and open.
#pragma once

#include <memory>
#include <mutex>

#include "belljar/error.h"
#include "host/file_gate.h"
#include "policy/snapshot.h"

namespace belljar::host {

/// Opens a granted folder when it is first needed. Any thread; everything here may wait for the
/// folder's file system.
class LiveMount {
 public:
  explicit LiveMount(policy::Mount mount) : granted_(std::move(mount)) {}

  /// What is granted there, as the folder turns out to be. An error says why it cannot be used.
  [[nodiscard]] Result<policy::StorageRule> open();
  /// Does an operation whose mounts are both this one. `as_granted` is for a guest that was shown
  /// the grant before anybody knew what is there: one file then stands where a folder would.
  [[nodiscard]] FileAnswer perform(const engine::FileRequest& request, bool as_granted);

 private:
  [[nodiscard]] Result<std::shared_ptr<const OpenMount>> opened();
  [[nodiscard]] FileAnswer perform_on(const OpenMount& mount, const engine::FileRequest& request,
                                      bool as_granted) const;

  const policy::Mount granted_;
  std::mutex mutex_;
  /// Null until it is opened.
  std::shared_ptr<const OpenMount> open_;
};

/// Whether a file lies on a file system that others serve, over a network or from a process, and
/// that may therefore stop answering.
[[nodiscard]] bool is_served_by_others(int descriptor);

}  // namespace belljar::host
