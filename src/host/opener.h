// The files of guests, opened by a helper for a server that has locked itself in.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belljar/error.h"
#include "host/file_service.h"
#include "policy/document.h"
#include "store/paths.h"
#include "support/file.h"

namespace belljar::host {

/// What the opener knows from the command line; all else it looks up in the state by itself.
struct OpenerAuthority {
  store::Paths paths;
  /// The server's session, for grants that are bound to it.
  std::string session;
  /// Policies and grants that the person gave for this process, by component.
  std::map<std::string, std::vector<policy::Document>> granted;
  std::vector<policy::Document> ceilings;
  /// Files that the person named to be loaded.
  std::vector<std::filesystem::path> files;
};

/// The server's side. A folder is opened only if it is granted by what the opener itself reads in
/// the state, and a file to be loaded only if a person named it there or on the command line: a
/// server that was taken over gets no more from the opener than it had. An opener that is lost or
/// hangs is made again.
class Opener final : public FileService {
 public:
  /// Forks what makes openers. Call it before the process confines itself or has threads.
  [[nodiscard]] static Result<std::unique_ptr<Opener>> start(OpenerAuthority authority);
  ~Opener() override;

  [[nodiscard]] std::shared_ptr<const MountTable> open(const store::ComponentKey& component,
                                                       const policy::Snapshot& snapshot) override;
  /// Opens a component's file for reading. Waits for it, half a minute at most.
  [[nodiscard]] Result<UniqueFd> open_file(const std::filesystem::path& path);

  class Links;

 private:
  explicit Opener(std::shared_ptr<Links> links) : links_(std::move(links)) {}
  std::shared_ptr<Links> links_;
};

}  // namespace belljar::host
