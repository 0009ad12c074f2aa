// A process that makes helpers for one that has locked itself in and could make none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "belljar/error.h"
#include "support/file.h"
#include "support/json.h"

namespace belljar::host {

/// A child of the keeper.
struct Helper {
  /// The server's end of the socket that it talks on.
  UniqueFd socket;
  /// Names it to `Keeper::end`.
  std::uint64_t number = 0;
};

/// The server's side. The keeper touches no file and no folder, so that nothing hangs it; it ends
/// its children with itself, and itself with the server, however that ends. Any thread.
class Keeper {
 public:
  /// What a helper does, in a process of its own, until it ends itself.
  using Main = std::function<void(UniqueFd socket)>;

  /// Forks. Call it before the process confines itself or has threads. The first helper is made
  /// meanwhile, so that nobody waits for it.
  [[nodiscard]] static Result<std::unique_ptr<Keeper>> start(Main main);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Makes a helper. Waits for the keeper, a few seconds at most.
  [[nodiscard]] Result<Helper> make();
  /// Kills a helper. Does not wait.
  void end(std::uint64_t number);

 private:
  Keeper(pid_t child, UniqueFd process, UniqueFd socket)
      : child_(child), process_(std::move(process)), socket_(std::move(socket)) {}

  pid_t child_;
  /// Tells when the keeper has ended.
  UniqueFd process_;
  UniqueFd socket_;
  /// Asks for a helper, without waiting for it.
  [[nodiscard]] Result<std::uint64_t> ask();

  std::mutex mutex_;
  std::uint64_t asked_ = 0;
  /// What was asked before anybody needed a helper.
  std::optional<std::uint64_t> first_;
};

/// For a process that was just forked: it ends with `parent`, also if that is gone already.
void end_with_parent(pid_t parent);

}  // namespace belljar::host
