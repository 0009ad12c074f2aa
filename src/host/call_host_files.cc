// What a call's guest does with files.

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
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

}  // namespace

std::string CallHost::shown_path(std::uint32_t mount, std::string_view path) const {
  const bool known = grip_.mounts && mount < grip_.mounts->mounts().size();
  const std::string guest = known ? grip_.mounts->mounts()[mount].guest : "/";
  if (path == ".") return guest;
  return fmt::format("{}/{}", guest == "/" ? "" : guest, one_line(path, 300));
}

FileReply CallHost::file(const FileRequest& request) {
  const std::uint32_t mounts =
      grip_.mounts ? static_cast<std::uint32_t>(grip_.mounts->mounts().size()) : 0;
  const bool two =
      request.operation == FileOperation::rename || request.operation == FileOperation::link;
  if (request.mount >= mounts) return no_mount(request, request.path);
  if (two && request.to_mount >= mounts) return no_mount(request, request.to_path);
  const auto now = newer();
  if (now &&
      (!grants_mount(*now, request.mount) || (two && !grants_mount(*now, request.to_mount)))) {
    refuse("storage", fmt::format("{} {}", verb(request), shown_path(request.mount, request.path)),
           no_longer());
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
  FileAnswer answer = full ? perform_without_creating(request) : grip_.mounts->perform(request);
  const std::string shown = shown_path(request.mount, request.path);
  if (answer.problem) {
    refuse("storage", fmt::format("{} {}", verb(request), shown),
           {false, "storage.allow", *std::move(answer.problem), std::nullopt},
           request.operation == FileOperation::status);
    return std::move(answer.reply);
  }
  if (answer.refusal) {
    const policy::StorageRule& rule = grip_.mounts->mounts()[request.mount];
    policy::Decision decision{false, answer.refusal->rule, answer.refusal->reason, std::nullopt};
    if (answer.refusal->write && answer.refusal->rule == "storage.allow") {
      decision.remedy = policy::storage_grant(rule.host, rule.guest, true);
    }
    refuse("storage", fmt::format("{} {}", verb(request), shown), decision);
    return std::move(answer.reply);
  }
  if (answer.reply.error == 0) {
    {
      const std::lock_guard lock(mutex_);
      if (answer.created) ++files_created_;
      if (std::find(mounts_in_use_.begin(), mounts_in_use_.end(), request.mount) ==
          mounts_in_use_.end()) {
        mounts_in_use_.push_back(request.mount);
      }
    }
    // Looking at what a file is like is no use of it worth a line of its own.
    if (request.operation != FileOperation::status) {
      use("storage", fmt::format("{} {}", verb(request), shown), "storage.allow");
    }
  }
  return std::move(answer.reply);
}

FileAnswer CallHost::perform_without_creating(const FileRequest& request) const {
  FileAnswer no_more;
  no_more.reply.error = EDQUOT;
  if (request.exclusive || request.operation != FileOperation::open) return no_more;
  // What is there already can still be opened.
  FileRequest existing = request;
  existing.create = false;
  FileAnswer answer = grip_.mounts->perform(existing);
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
  policy::Decision decision{false, "no rule", fmt::format("no folder is granted at {}", guest), {}};
  // A granted folder that is not there is another story.
  if (grip_.mounts) {
    for (const MountProblem& problem : grip_.mounts->problems()) {
      if (guest == problem.guest || guest.starts_with(problem.guest + "/")) {
        decision.reason = problem.text;
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
  refuse("storage", what, decision, hint);
  reply.error = hint ? ENOENT : EACCES;
  return reply;
}

}  // namespace belljar::host
