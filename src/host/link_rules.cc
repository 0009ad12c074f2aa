#include "host/link_rules.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "support/text.h"

namespace belljar::host {
namespace {

/// Entries that are looked at before a folder is moved up or down.
constexpr std::size_t maximum_entries = 100'000;

class Search {
 public:
  WalkResult<void> look_below(int parent, const std::string& name, std::size_t depth,
                              std::size_t height) {
    tree_.height = std::max(tree_.height, height);
    // Deeper than anything may lie: no need to know how deep.
    if (height > maximum_depth) return {};
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
      if (left_-- == 0) return std::unexpected(failed(EXDEV));
      auto type = entry->d_type;
      if (type == DT_UNKNOWN) {
        struct stat status{};
        if (::fstatat(descriptor, entry_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
          return std::unexpected(failed(errno));
        }
        type = static_cast<unsigned char>(IFTODT(status.st_mode));
      }
      if (type == DT_LNK) {
        const auto target = link_target(descriptor, entry_name);
        if (!target) return std::unexpected(failed(target.error()));
        if (!stays_inside(depth, *target)) tree_.links_stay_inside = false;
      } else if (type == DT_DIR) {
        if (auto below = look_below(descriptor, entry_name, depth + 1, height + 1); !below) {
          return below;
        }
      }
    }
    return {};
  }

  [[nodiscard]] const Tree& tree() const noexcept { return tree_; }

 private:
  Tree tree_;
  std::size_t left_ = maximum_entries;
};

}  // namespace

bool stays_inside(std::size_t depth, std::string_view target) {
  if (target.empty() || target.starts_with('/')) return false;
  bool named = false;
  for (const std::string_view part : split(target, '/')) {
    if (part == "..") {
      if (named || depth == 0) return false;
      --depth;
    } else if (!part.empty() && part != ".") {
      named = true;
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

WalkResult<Tree> look_through(int folder, const std::string& name, std::size_t depth) {
  Search search;
  if (auto looked = search.look_below(folder, name, depth + 1, 1); !looked) {
    return std::unexpected(std::move(looked).error());
  }
  return search.tree();
}

}  // namespace belljar::host
