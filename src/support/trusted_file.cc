#include "support/trusted_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <utility>

#include "support/result.h"
#include "support/text.h"

namespace belljar {
namespace {

/// As many links as the kernel follows in one path (path_resolution(7)).
constexpr int maximum_links = 40;

std::string user_name(uid_t user) {
  std::array<char, 4'096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return fmt::format("the user {}", one_line(found->pw_name, 60));
  }
  return fmt::format("the user with number {}", user);
}

bool is_mine(const struct stat& status) {
  return status.st_uid == 0 || status.st_uid == ::geteuid();
}

/// Walks a path a name at a time, and looks at everything that it passes.
class Walk {
 public:
  Walk(const std::filesystem::path& path, std::string_view what) : path_(path), what_(what) {}

  Result<UniqueFd> open() {
    queue(path_);
    BELLJAR_CHECK(start());
    while (!names_.empty()) {
      const std::string name = std::move(names_.front());
      names_.pop_front();
      if (name == "." || name.empty()) continue;
      if (names_.empty()) return open_file(name);
      BELLJAR_CHECK(enter(name));
    }
    return refused("this is a folder; a file is needed", {});
  }

 private:
  std::unexpected<Error> refused(std::string_view why, std::string_view remedy) const {
    return fail(ErrorCode::invalid_policy, "{}: {}{}{}", shown_name(path_.native()), why,
                remedy.empty() ? "" : "; first: ", remedy);
  }

  std::unexpected<Error> failed(int error) const {
    if (error == ENOENT || error == ENOTDIR) {
      return fail(ErrorCode::not_found, "{}: {}", shown_name(path_.native()), errno_text(error));
    }
    return fail(ErrorCode::invalid_policy, "{}: {}", shown_name(path_.native()), errno_text(error));
  }

  /// Puts the names of a path in front of those that are left.
  void queue(const std::filesystem::path& path) {
    std::deque<std::string> names;
    for (const auto& part : path.relative_path()) names.push_back(part.native());
    names_.insert(names_.begin(), names.begin(), names.end());
  }

  Result<void> start() {
    folder_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder_) return failed(errno);
    place_ = "/";
    return {};
  }

  /// A folder in which others may write lets them put something else in the place of what is there.
  Result<void> check_folder(const struct stat& status) const {
    const std::string shown = shown_name(place_.native());
    if (!is_mine(status)) {
      return refused(fmt::format("the folder {} on the way to this {} belongs to {}, who could put "
                                 "another in its place",
                                 shown, what_, user_name(status.st_uid)),
                     "move it to a folder of yours");
    }
    if (others_may_write(status) && (status.st_mode & S_ISVTX) == 0) {
      return refused(fmt::format("others may write to the folder {} on the way to this {}, and "
                                 "could put another in its place",
                                 shown, what_),
                     "chmod go-w " + shell_word(one_line(place_.native(), 4'096)));
    }
    return {};
  }

  Result<void> enter(const std::string& name) {
    UniqueFd next(::openat(folder_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return failed(errno);
    struct stat status{};
    if (::fstat(next.get(), &status) != 0) return failed(errno);
    if (S_ISLNK(status.st_mode)) return follow(name, next, status);
    if (!S_ISDIR(status.st_mode)) return failed(ENOTDIR);
    place_ = name == ".." ? place_.parent_path() : place_ / name;
    BELLJAR_CHECK(check_folder(status));
    folder_ = std::move(next);
    return {};
  }

  /// A link to a folder is followed where nobody else can have made it.
  Result<void> follow(const std::string& name, const UniqueFd& link, const struct stat& status) {
    if (!is_mine(status)) {
      return refused(
          fmt::format(
              "the link {} on the way to this {} belongs to {}, who could lead it elsewhere",
              shown_name((place_ / name).native()), what_, user_name(status.st_uid)),
          "name the file without it");
    }
    if (++links_ > maximum_links) return failed(ELOOP);
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(link.get(), "", target.data(), target.size());
    if (length < 0 || static_cast<std::size_t>(length) == target.size()) return failed(ELOOP);
    const std::filesystem::path to(std::string(target.data(), static_cast<std::size_t>(length)));
    queue(to);
    return to.is_absolute() ? start() : Result<void>{};
  }

  Result<UniqueFd> open_file(const std::string& name) const {
    UniqueFd file(::openat(folder_.get(), name.c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) {
      if (errno == ELOOP) {
        return refused(
            fmt::format("a {} cannot be a symbolic link, which others could lead elsewhere", what_),
            "put the file that it leads to in its place, or give that file");
      }
      return failed(errno);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return failed(errno);
    if (!S_ISREG(status.st_mode)) return refused("not a file", {});
    const std::string word = shell_word(one_line(path_.native(), 4'096));
    if (!is_mine(status)) {
      return refused(fmt::format("this {} belongs to {}, who could change it", what_,
                                 user_name(status.st_uid)),
                     fmt::format("read it, and make a copy of your own in its place: cp {0} "
                                 "{0}.mine",
                                 word));
    }
    if (others_may_write(status)) {
      return refused(fmt::format("others may write this {}, so it proves nothing", what_),
                     "chmod go-w " + word);
    }
    return file;
  }

  const std::filesystem::path& path_;
  std::string_view what_;
  std::deque<std::string> names_;
  UniqueFd folder_;
  /// Where `folder_` is, for messages.
  std::filesystem::path place_;
  int links_ = 0;
};

}  // namespace

Result<UniqueFd> open_trusted_file(const std::filesystem::path& path, std::string_view what) {
  std::error_code error;
  // Not made normal: `link/..` is a folder that only the walk finds.
  const auto absolute = std::filesystem::absolute(path, error);
  if (error)
    return fail(ErrorCode::not_found, "{}: {}", shown_name(path.native()), error.message());
  return Walk(absolute, what).open();
}

Result<std::string> read_trusted_file(const std::filesystem::path& path, std::string_view what,
                                      Bytes limit) {
  BELLJAR_TRY(const UniqueFd file, open_trusted_file(path, what));
  auto text = read_all(file.get(), limit);
  if (!text) {
    return fail(ErrorCode::invalid_policy, "{}: {}", shown_name(path.native()),
                text.error().message());
  }
  return text;
}

}  // namespace belljar
