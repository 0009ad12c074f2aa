// Who opens the files of guests: this process, or a helper that may.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "belljar/error.h"
#include "host/file_gate.h"
#include "policy/snapshot.h"
#include "store/grants.h"

namespace belljar::host {

/// A granted folder that could not be opened.
struct MountProblem {
  /// Where the guest would see it; empty where it is about all of them.
  std::string guest;
  /// What is wrong, in a sentence.
  std::string text;
};

/// How long a call that begins waits for folders to be opened. One that takes longer is shown to
/// the guest as it is granted, and opened when the guest needs it.
inline constexpr std::chrono::milliseconds opening_patience{500};

/// The mounts of one snapshot. Any thread; operations wait for the folder's file system.
class MountTable {
 public:
  virtual ~MountTable() = default;
  /// What each mount is called in the guest and whether it can be written, by number.
  [[nodiscard]] virtual const std::vector<policy::StorageRule>& mounts() const = 0;
  [[nodiscard]] virtual const std::vector<MountProblem>& problems() const = 0;
  /// Both mounts of the request are numbers of this table.
  [[nodiscard]] virtual FileAnswer perform(const engine::FileRequest& request) const = 0;
};

/// What is wrong with the numbers of a request: an `errno`, or zero. Mounts have nothing to do with
/// each other, and each operation waits for one only.
[[nodiscard]] int error_of(const engine::FileRequest& request, std::size_t mounts);

/// Makes mount tables.
class FileService {
 public:
  virtual ~FileService() = default;
  /// Waits for `opening_patience` at most.
  [[nodiscard]] virtual std::shared_ptr<const MountTable> open(
      const store::ComponentKey& component, const policy::Snapshot& snapshot) = 0;
};

/// Opens files in this process.
class DirectFiles final : public FileService {
 public:
  DirectFiles();
  [[nodiscard]] std::shared_ptr<const MountTable> open(const store::ComponentKey& component,
                                                       const policy::Snapshot& snapshot) override;
  [[nodiscard]] std::shared_ptr<const MountTable> open(std::span<const policy::Mount> mounts);

  /// Folders that are being opened and take long.
  class Late;

 private:
  std::shared_ptr<Late> late_;
};

}  // namespace belljar::host
