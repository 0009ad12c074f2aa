#include "store/grant_epoch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "support/file.h"
#include "support/result.h"

namespace belljar::store {

Result<GrantEpoch> GrantEpoch::open(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(ErrorCode::storage, "{}: {}", path.native(), errno_text(errno));
  BELLJAR_TRY(const FileIdentity identity, identify(file.get()));
  // A file that was just made is empty; growing it gives zeros.
  if (identity.size < sizeof(std::uint64_t) &&
      ::ftruncate(file.get(), sizeof(std::uint64_t)) != 0) {
    return fail(ErrorCode::storage, "{}: {}", path.native(), errno_text(errno));
  }
  void* const memory =
      ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::storage, "{}: {}", path.native(), errno_text(errno));
  }
  return GrantEpoch(static_cast<std::uint64_t*>(memory));
}

GrantEpoch::GrantEpoch(GrantEpoch&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}

GrantEpoch::~GrantEpoch() {
  if (word_ != nullptr) ::munmap(word_, sizeof(std::uint64_t));
}

}  // namespace belljar::store
