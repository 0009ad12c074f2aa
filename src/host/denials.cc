#include "host/denials.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "support/host_place.h"
#include "support/text.h"

namespace belljar::host {
namespace {

constexpr int maximum_links = 40;
constexpr std::size_t maximum_names = 4'096;

UniqueFd open_here(int folder, const char* name, int flags = 0) {
  return UniqueFd(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | flags));
}

bool push_front(std::deque<std::string>& names, std::string_view path) {
  std::size_t at = 0;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    names.insert(names.begin() + static_cast<std::ptrdiff_t>(at++), std::string(part));
  }
  return names.size() <= maximum_names;
}

struct Looked {
  FileId id;
  bool is_link = false;
};

/// What is open here. A file system that is slow to answer is not asked: what the kernel knows of a
/// file that it has just opened is enough.
std::optional<Looked> look_at(const UniqueFd& file) {
  struct statx status{};
  if (!file || ::statx(file.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE,
                       &status) != 0) {
    return std::nullopt;
  }
  return Looked{{makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino},
                S_ISLNK(status.stx_mode)};
}

/// Where a path leads at this moment, and by what.
struct Trail {
  /// Every name that was looked up, in its folder.
  std::vector<NameIn> way;
  /// Those that are the end of the path: a link there has two.
  std::vector<NameIn> ends;
  /// Folders and links that were passed, the first folder not among them.
  std::vector<FileId> met;
  std::optional<FileId> target;
  UniqueFd target_descriptor;
  /// What was left of the path when it came to `root` first.
  std::optional<std::deque<std::string>> below;
};

Trail follow(UniqueFd folder, std::deque<std::string> names, const std::optional<FileId>& root) {
  Trail trail;
  int links = 0;
  while (const auto status = look_at(folder)) {
    const FileId here = status->id;
    if (root && here == *root && !trail.below) trail.below = names;
    if (names.empty()) {
      trail.target = here;
      trail.target_descriptor = std::move(folder);
      return trail;
    }
    std::string name = std::move(names.front());
    names.pop_front();
    if (name == "..") {
      folder = open_here(folder.get(), "..", O_DIRECTORY);
      continue;
    }
    trail.way.push_back({here, name});
    if (names.empty()) trail.ends.push_back({here, name});
    UniqueFd next = open_here(folder.get(), name.c_str());
    const auto found = look_at(next);
    if (!found) return trail;
    trail.met.push_back(found->id);
    if (found->is_link) {
      std::array<char, PATH_MAX> target{};
      const ssize_t length = ::readlinkat(next.get(), "", target.data(), target.size());
      if (length <= 0 || ++links > maximum_links) return trail;
      const std::string_view path(target.data(), static_cast<std::size_t>(length));
      if (path.starts_with('/')) folder.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!push_front(names, path)) return trail;
    } else {
      folder = std::move(next);
    }
  }
  return trail;
}

/// A folder and those around it, up to the root of all.
std::vector<Visit> folders_around(int root) {
  std::vector<Visit> folders;
  UniqueFd folder(::fcntl(root, F_DUPFD_CLOEXEC, 0));
  while (const auto status = look_at(folder)) {
    if (!folders.empty() && folders.back().id == status->id) break;
    Visit& visit = folders.emplace_back();
    visit.id = status->id;
    visit.identity = identity_of(folder.get()).value_or(std::string());
    folder = open_here(folder.get(), "..", O_DIRECTORY);
  }
  return folders;
}

bool same_name(const NameIn& one, const NameIn& other) {
  return one.folder == other.folder && equals_ignoring_case(one.name, other.name);
}

bool has(const std::vector<NameIn>& names, const NameIn& wanted) {
  return std::any_of(names.begin(), names.end(),
                     [&](const NameIn& name) { return same_name(name, wanted); });
}

bool has(const std::vector<FileId>& ids, const FileId& wanted) {
  return std::find(ids.begin(), ids.end(), wanted) != ids.end();
}

void take_away(const policy::Access& denied, policy::Access& access) {
  if (denied.read) access.read = false;
  if (denied.write) access.write = false;
}

/// Names in lower case, with slashes between; empty where one of them is "..".
std::string path_of(const std::deque<std::string>& names) {
  std::string path;
  for (const std::string& name : names) {
    if (name == "..") return {};
    if (!path.empty()) path += '/';
    path += to_lower(name);
  }
  return path;
}

/// What is left of a path below a place, where that is spelled in other letters.
std::optional<std::deque<std::string>> names_below(const std::filesystem::path& place,
                                                   const std::filesystem::path& path) {
  const std::string_view around = place.native();
  const std::string_view whole = path.native();
  const std::size_t length = around == "/" ? 0 : around.size();
  if (whole.size() <= length || whole[length] != '/' ||
      !equals_ignoring_case(whole.substr(0, length), around.substr(0, length))) {
    return std::nullopt;
  }
  std::deque<std::string> names;
  if (!push_front(names, whole.substr(length))) return std::nullopt;
  return names;
}

/// Whether a path is a rule's, or a folder on the way to it.
bool leads_to(std::string_view path, std::string_view rule) {
  return !path.empty() && rule.starts_with(path) &&
         (rule.size() == path.size() || rule[path.size()] == '/');
}

/// Whether an identity tells a file by more than its place.
bool tells(std::string_view identity) { return inode_of(identity) != 0; }

}  // namespace

FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

void ClosedNow::apply(const Visit& visit, policy::Access& access) const {
  for (const Place& place : places_) {
    const auto& known = place.identities;
    const bool is_target = visit.id && place.target == visit.id;
    const bool is_known = !visit.identity.empty() &&
                          std::find(known.begin(), known.end(), visit.identity) != known.end();
    // In other letters, what is denied may lie in folders that are not those that the rule names.
    const bool is_spelled = !place.path.empty() && visit.at.path == place.path;
    if (is_target || is_known || is_spelled || has(place.names, visit.at))
      take_away(place.access, access);
  }
}

bool ClosedNow::is_held(const NameIn& at, const FileId& id) const {
  return std::any_of(places_.begin(), places_.end(), [&](const Place& place) {
    return place.target == id || has(place.met, id) || has(place.way, at) ||
           leads_to(at.path, place.path);
  });
}

bool ClosedNow::is_on_the_way(const NameIn& at) const {
  return std::any_of(places_.begin(), places_.end(), [&](const Place& place) {
    return has(place.way, at) || leads_to(at.path, place.path);
  });
}

Denials Denials::learn(const policy::Mount& mount, const std::filesystem::path& place_of_root,
                       int root, policy::Access& access) {
  Denials denials;
  const std::vector<Visit> around = folders_around(root);
  const std::optional<FileId> root_id = around.empty() ? std::nullopt : around.front().id;
  for (const auto* const rules : {&mount.denied, &mount.denied_elsewhere}) {
    for (const policy::StorageRule& rule : *rules) {
      std::deque<std::string> names;
      if (!push_front(names, rule.host.native())) continue;
      Trail trail = follow(UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)),
                           std::move(names), root_id);
      const auto is_closed = [&](const Visit& folder) {
        return (trail.target && trail.target == folder.id) ||
               (tells(rule.identity) && rule.identity == folder.identity);
      };
      if (std::any_of(around.begin(), around.end(), is_closed)) {
        take_away(rule.access, access);
        continue;
      }
      if (!trail.below) trail.below = names_below(place_of_root, rule.host);
      Place place{rule.access, {}, std::move(trail.below)};
      if (place.below) place.path = path_of(*place.below);
      if (tells(rule.identity)) place.identities.push_back(rule.identity);
      if (const bool closes = rule.access.read || rule.access.write; closes && trail.target) {
        auto identity = identity_of(trail.target_descriptor.get());
        if (identity && tells(*identity)) place.identities.push_back(*std::move(identity));
      }
      if (place.below || !place.identities.empty()) denials.places_.push_back(std::move(place));
    }
  }
  return denials;
}

ClosedNow Denials::look(int root) const {
  ClosedNow now;
  for (const Place& place : places_) {
    ClosedNow::Place& closed = now.places_.emplace_back();
    closed.access = place.access;
    closed.identities = place.identities;
    closed.path = place.path;
    if (!place.below) continue;
    Trail trail = follow(UniqueFd(::fcntl(root, F_DUPFD_CLOEXEC, 0)), *place.below, std::nullopt);
    closed.target = trail.target;
    closed.names = std::move(trail.ends);
    closed.way = std::move(trail.way);
    closed.met = std::move(trail.met);
  }
  return now;
}

bool Denials::may_be_kept(ino_t inode) const {
  return std::any_of(places_.begin(), places_.end(), [&](const Place& place) {
    return std::any_of(place.identities.begin(), place.identities.end(),
                       [&](const std::string& identity) { return inode_of(identity) == inode; });
  });
}

}  // namespace belljar::host
