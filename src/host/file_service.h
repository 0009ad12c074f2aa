// Who opens the files of guests: this process, or a helper that may.
#pragma once

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

/// The mounts of one snapshot, ready for use. Any thread; operations block.
class MountTable {
 public:
  virtual ~MountTable() = default;
  /// What each mount is called in the guest and whether it can be written, by number.
  [[nodiscard]] virtual const std::vector<policy::StorageRule>& mounts() const = 0;
  [[nodiscard]] virtual const std::vector<MountProblem>& problems() const = 0;
  /// Both mounts of the request are numbers of this table.
  [[nodiscard]] virtual FileAnswer perform(const engine::FileRequest& request) const = 0;
};

/// Makes mount tables.
class FileService {
 public:
  virtual ~FileService() = default;
  [[nodiscard]] virtual std::shared_ptr<const MountTable> open(
      const store::ComponentKey& component, const policy::Snapshot& snapshot) = 0;
};

/// Opens files in this process.
class DirectFiles final : public FileService {
 public:
  [[nodiscard]] std::shared_ptr<const MountTable> open(const store::ComponentKey& component,
                                                       const policy::Snapshot& snapshot) override;
  [[nodiscard]] std::shared_ptr<const MountTable> open(std::span<const policy::Mount> mounts);
};

}  // namespace belljar::host
