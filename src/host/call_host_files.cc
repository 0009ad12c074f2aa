// What a call's guest does with files.

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "host/call_host.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using engine::FileOperation;
using engine::FileReply;
using engine::FileRequest;

std::string_view verb(const FileRequest& request) {
  switch (request.operation) {
    case FileOperation::open: return request.write || request.truncate ? "write" : "read";
    case FileOperation::status:
    case FileOperation::read_link: return "read";
    default: return "write";
  }
}

/// What the guest calls the root under which nothing is granted.
constexpr std::uint32_t empty_root = 0xFFFFFFFF;

}  // namespace

bool is_same_place(const policy::StorageRule& one, const policy::StorageRule& other) {
  return one.host == other.host && one.guest == other.guest && one.identity == other.identity;
}

std::vector<engine::Preopen> CallHost::preopens() {
  std::vector<engine::Preopen> preopens;
  bool has_root = false;
  if (grip_.mounts) {
    for (const policy::StorageRule& rule : grip_.mounts->mounts()) {
      has_root = has_root || rule.guest == "/";
      auto number = static_cast<std::uint32_t>(preopens.size());
      const auto known =
          std::find_if(known_mounts_.begin(), known_mounts_.end(),
                       [&](const auto& mount) { return is_same_place(mount, rule); });
      if (known != known_mounts_.end()) {
        number = static_cast<std::uint32_t>(known - known_mounts_.begin());
      }
      preopens.push_back(
          {number, rule.guest, rule.access.write, std::hash<std::string>()(rule.host.native())});
    }
  }
  // An empty root, so that a path that nothing was granted for is refused by name instead of
  // getting lost in the guest's C library.
  if (!has_root) preopens.push_back({empty_root, "/", false, 0});
  return preopens;
}

const policy::StorageRule* CallHost::mount_rule(std::uint32_t mount) const {
  const auto at = [&](const std::vector<policy::StorageRule>& rules) {
    return mount < rules.size() ? &rules[mount] : nullptr;
  };
  if (!known_mounts_.empty()) return at(known_mounts_);
  return grip_.mounts ? at(grip_.mounts->mounts()) : nullptr;
}

std::string CallHost::shown_path(std::uint32_t mount, std::string_view path) const {
  const policy::StorageRule* const rule = mount_rule(mount);
  const std::string guest = rule != nullptr ? rule->guest : "/";
  if (path == ".") return guest;
  return fmt::format("{}/{}", guest == "/" ? "" : guest, one_line(path, 300));
}

std::shared_ptr<const MountTable> CallHost::mounts_now() {
  const auto now = newer();
  if (!now) return grip_.mounts;
  const std::lock_guard lock(files_mutex_);
  if (narrowed_for_ == now) return narrowed_;
  // Rules that changed for others, or about other things, leave everything as it is open.
  narrowed_ = now->has_storage_of(*grip_.snapshot)
                  ? grip_.mounts
                  : component_->services().files.open(component_->permissions().component(),
                                                      *grip_.snapshot->narrowed_by(*now));
  narrowed_for_ = now;
  return narrowed_;
}

std::optional<CallHost::PlacedRequest> CallHost::place(const FileRequest& request) {
  PlacedRequest placed{mounts_now(), request};
  if (!placed.table) return std::nullopt;
  const bool two =
      request.operation == FileOperation::rename || request.operation == FileOperation::link;
  if (!two) placed.request.to_mount = request.mount;
  for (std::uint32_t* const mount : {&placed.request.mount, &placed.request.to_mount}) {
    const policy::StorageRule* const rule = mount_rule(*mount);
    const auto& rules = placed.table->mounts();
    const auto found = std::find_if(rules.begin(), rules.end(), [&](const auto& other) {
      return rule != nullptr && is_same_place(*rule, other);
    });
    if (found == rules.end()) return std::nullopt;
    *mount = static_cast<std::uint32_t>(found - rules.begin());
  }
  return placed;
}

bool CallHost::still_granted(const FileRequest& opened, std::uint64_t device,
                             std::uint64_t inode) noexcept {
  auto placed = place(opened);
  if (!placed) return false;
  // What this call opened itself, and nothing about its folders has changed since.
  if (placed->table == grip_.mounts && known_mounts_.empty()) return true;
  // Opened again by the rules that hold now: it has to be the same, by the same name.
  placed->request.create = false;
  placed->request.exclusive = false;
  placed->request.truncate = false;
  const FileAnswer answer = placed->table->perform(placed->request);
  return answer.reply.error == 0 && answer.reply.status.device == device &&
         answer.reply.status.inode == inode;
}

FileReply CallHost::file(const FileRequest& request) {
  const bool two =
      request.operation == FileOperation::rename || request.operation == FileOperation::link;
  if (mount_rule(request.mount) == nullptr) return no_mount(request, request.path);
  if (two && mount_rule(request.to_mount) == nullptr) return no_mount(request, request.to_path);
  const std::string shown = shown_path(request.mount, request.path);
  const auto placed = place(request);
  if (!placed) {
    refuse("storage", fmt::format("{} {}", verb(request), shown), no_longer());
    FileReply reply;
    reply.error = EACCES;
    return reply;
  }
  // Nobody would know afterwards what was opened or changed. Looking has no record.
  if (request.operation != FileOperation::status && request.operation != FileOperation::read_link &&
      !component_->services().log.accepts()) {
    refuse("storage", fmt::format("{} {}", verb(request), shown_path(request.mount, request.path)),
           unrecordable());
    FileReply reply;
    reply.error = EIO;
    return reply;
  }
  const bool creates = request.create || request.operation == FileOperation::create_directory ||
                       request.operation == FileOperation::symbolic_link ||
                       request.operation == FileOperation::link;
  bool full = false;
  if (creates) {
    const std::lock_guard lock(mutex_);
    full = files_created_ >= limits().files;
  }
  FileAnswer answer =
      full ? perform_without_creating(*placed) : placed->table->perform(placed->request);
  if (answer.problem) {
    refuse("storage", fmt::format("{} {}", verb(request), shown),
           {false, "storage.allow", *std::move(answer.problem), std::nullopt},
           request.operation == FileOperation::status);
    return std::move(answer.reply);
  }
  if (answer.refusal) {
    const policy::StorageRule& rule = placed->table->mounts()[placed->request.mount];
    policy::Decision decision{false, answer.refusal->rule, answer.refusal->reason, std::nullopt};
    if (answer.refusal->write && answer.refusal->rule == "storage.allow") {
      decision.remedy = policy::storage_grant(rule.host, rule.guest, true);
    }
    refuse("storage", fmt::format("{} {}", verb(request), shown), decision);
    return std::move(answer.reply);
  }
  if (answer.reply.error == 0) {
    if (answer.created) {
      const std::lock_guard lock(mutex_);
      ++files_created_;
    }
    // Looking at what a file is like is no use of it worth a line of its own.
    if (request.operation != FileOperation::status) {
      use("storage", fmt::format("{} {}", verb(request), shown), "storage.allow");
    }
  }
  return std::move(answer.reply);
}

FileAnswer CallHost::perform_without_creating(const PlacedRequest& placed) {
  FileAnswer no_more;
  no_more.reply.error = EDQUOT;
  if (placed.request.exclusive || placed.request.operation != FileOperation::open) return no_more;
  // What is there already can still be opened.
  FileRequest existing = placed.request;
  existing.create = false;
  FileAnswer answer = placed.table->perform(existing);
  if (answer.reply.error == ENOENT) return no_more;
  return answer;
}

FileReply CallHost::no_mount(const FileRequest& request, std::string_view path) {
  FileReply reply;
  std::string guest = "/";
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (guest.size() > 1) guest += '/';
    guest += part;
  }
  const bool is_above_mount =
      guest == "/" ||
      (grip_.mounts && std::any_of(grip_.mounts->mounts().begin(), grip_.mounts->mounts().end(),
                                   [&](const policy::StorageRule& rule) {
                                     return rule.guest.starts_with(guest + "/");
                                   }));
  if (is_above_mount && request.operation == FileOperation::status) {
    reply.status.mode = S_IFDIR | 0555;
    reply.status.links = 1;
    return reply;
  }
  if (request.operation == FileOperation::read_link) {
    reply.error = EINVAL;
    return reply;
  }
  policy::Decision decision{false,
                            "no rule",
                            fmt::format("no folder is granted at {}", path_in_sentence(guest, 300)),
                            {}};
  // A granted folder that is not what it was is another story.
  std::optional<std::string> granted_at;
  if (grip_.mounts) {
    for (const MountProblem& problem : grip_.mounts->problems()) {
      if (guest == problem.guest || guest.starts_with(problem.guest + "/")) {
        decision.reason = problem.text;
        granted_at = problem.guest;
      }
    }
  }
  const bool write = verb(request) == "write";
  const std::string what = fmt::format("{} {}", verb(request), one_line(guest, 300));
  const bool hint = request.operation == FileOperation::status;
  for (const policy::ClosedMount& closed : grip_.snapshot->closed_mounts()) {
    if (guest != closed.guest && !guest.starts_with(closed.guest + "/")) continue;
    refuse("storage", what,
           {false,
            closed.by,
            fmt::format("{} does not allow what is granted at {}", closed.by, closed.guest),
            {}},
           hint);
    reply.error = hint ? ENOENT : EACCES;
    return reply;
  }
  const std::size_t end = guest.find('/', 1);
  const std::string folder = end == std::string::npos ? "/" : guest.substr(0, end);
  decision.remedy = policy::storage_grant(policy::unknown_folder, folder, write);
  for (const policy::Mount& mount : grip_.snapshot->mounts()) {
    // Given again by a person, it is of what is there then.
    if (granted_at == mount.rule.guest) {
      decision.remedy =
          policy::storage_grant(mount.rule.host, mount.rule.guest, mount.rule.access.write);
    }
  }
  refuse("storage", what, decision, hint);
  reply.error = hint ? ENOENT : EACCES;
  return reply;
}

}  // namespace belljar::host
