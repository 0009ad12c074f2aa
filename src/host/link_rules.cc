#include "host/link_rules.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "support/text.h"

namespace belljar::host {
namespace {

/// Entries that are looked at before a folder is moved upwards.
constexpr std::size_t maximum_entries = 10'000;

WalkResult<bool> look_below(int parent, const std::string& name, std::size_t depth,
                            std::size_t& left) {
  const int descriptor = open_name(parent, name, O_RDONLY | O_DIRECTORY, 0);
  if (descriptor < 0) return std::unexpected(failed(errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(descriptor), ::closedir);
  if (!folder) {
    const int error = errno;
    ::close(descriptor);
    return std::unexpected(failed(error));
  }
  while (const dirent* const entry = ::readdir(folder.get())) {
    const std::string entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    if (left-- == 0) return std::unexpected(failed(EXDEV));
    struct stat status{};
    if (::fstatat(descriptor, entry_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return std::unexpected(failed(errno));
    }
    if (S_ISLNK(status.st_mode)) {
      const auto target = link_target(descriptor, entry_name);
      if (!target) return std::unexpected(failed(target.error()));
      if (!stays_inside(depth, *target)) return false;
    } else if (S_ISDIR(status.st_mode)) {
      auto below = look_below(descriptor, entry_name, depth + 1, left);
      if (!below || !*below) return below;
    }
  }
  return true;
}

}  // namespace

bool stays_inside(std::size_t depth, std::string_view target) {
  if (target.empty() || target.starts_with('/')) return false;
  for (const std::string_view part : split(target, '/')) {
    if (part == "..") {
      if (depth == 0) return false;
      --depth;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
  }
  return true;
}

std::expected<std::string, int> link_target(int folder, const std::string& name) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t length = ::readlinkat(folder, name.c_str(), buffer.data(), buffer.size());
  if (length < 0) return std::unexpected(errno);
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

WalkResult<bool> links_stay_inside(int folder, const std::string& name, std::size_t depth) {
  std::size_t left = maximum_entries;
  return look_below(folder, name, depth + 1, left);
}

}  // namespace belljar::host
