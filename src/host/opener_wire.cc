#include "host/opener_wire.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "support/result.h"

namespace belljar::host {
namespace {

constexpr std::size_t maximum_packet = 160 * 1024;

/// Depth is bounded by the parser.
bool has_fraction(const Json& json) {
  if (json.is_structured()) return std::any_of(json.begin(), json.end(), has_fraction);
  return json.is_number_float();
}

}  // namespace

Result<std::string> packet_text(const Json& json) {
  // A guest's paths are UTF-8. A link's target, which is not always, could not reach it either.
  std::string text = to_text(json);
  if (text.size() > maximum_packet) {
    return fail(ErrorCode::storage, "its rules over files are too many for the opener");
  }
  return text;
}

Result<void> send_packet(int socket, std::string text, int descriptor, int flags) {
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL | flags) < 0) {
    if (errno != EINTR) return fail(ErrorCode::unavailable, "the opener: {}", errno_text(errno));
  }
  return {};
}

Result<std::optional<Packet>> receive_packet(int socket) {
  // Not filled with zeros first: most packets are small.
  const auto buffer = std::make_unique_for_overwrite<char[]>(maximum_packet);
  iovec part{.iov_base = buffer.get(), .iov_len = maximum_packet};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t count = 0;
  while ((count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno != EINTR) return fail(ErrorCode::unavailable, "the opener: {}", errno_text(errno));
  }
  if (count == 0) return std::nullopt;
  Packet packet;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    packet.descriptor.reset(descriptor);
  }
  BELLJAR_TRY(packet.json, parse_packet({buffer.get(), static_cast<std::size_t>(count)}));
  return packet;
}

Result<Json> parse_packet(std::string_view text) {
  BELLJAR_TRY(Json json, parse_json(text, Bytes{maximum_packet}));
  // A fraction, or a number beyond 64 bits, would be converted to whatever comes out.
  if (has_fraction(json)) return fail(ErrorCode::invalid_argument, "a number is not a whole one");
  return json;
}

Json to_json(const policy::StorageRule& rule) {
  return {{"host", rule.host.native()},   {"guest", rule.guest},
          {"read", rule.access.read},     {"write", rule.access.write},
          {"hardlinks", rule.hardlinks},  {"identity", rule.identity},
          {"whole", rule.whole.native()}, {"whole-identity", rule.whole_identity}};
}

policy::StorageRule storage_rule_from_json(const Json& json) {
  policy::StorageRule rule;
  rule.host = json.value("host", "");
  rule.guest = json.value("guest", "");
  rule.access = {json.value("read", false), json.value("write", false)};
  rule.hardlinks = json.value("hardlinks", false);
  rule.identity = json.value("identity", "");
  rule.whole = json.value("whole", "");
  rule.whole_identity = json.value("whole-identity", "");
  return rule;
}

Json to_json(const policy::Mount& mount) {
  Json denied = Json::array();
  for (const policy::StorageRule& rule : mount.denied) denied.push_back(to_json(rule));
  Json elsewhere = Json::array();
  for (const policy::StorageRule& rule : mount.denied_elsewhere) elsewhere.push_back(to_json(rule));
  return {{"rule", to_json(mount.rule)},
          {"denied", std::move(denied)},
          {"elsewhere", std::move(elsewhere)}};
}

policy::Mount mount_from_json(const Json& json) {
  policy::Mount mount;
  mount.rule = storage_rule_from_json(json.value("rule", Json::object()));
  for (const Json& rule : json.value("denied", Json::array())) {
    mount.denied.push_back(storage_rule_from_json(rule));
  }
  for (const Json& rule : json.value("elsewhere", Json::array())) {
    mount.denied_elsewhere.push_back(storage_rule_from_json(rule));
  }
  return mount;
}

Json to_json(const engine::FileRequest& request) {
  return {{"operation", static_cast<int>(request.operation)},
          {"mount", request.mount},
          {"path", request.path},
          {"follow", request.follow},
          {"create", request.create},
          {"exclusive", request.exclusive},
          {"truncate", request.truncate},
          {"directory", request.directory},
          {"read", request.read},
          {"write", request.write},
          {"to-mount", request.to_mount},
          {"to-path", request.to_path},
          {"target", request.target},
          {"access-time", request.access_time},
          {"modification-time", request.modification_time}};
}

engine::FileRequest request_from_json(const Json& json) {
  engine::FileRequest request;
  const int operation = json.value("operation", 0);
  const int last = static_cast<int>(engine::FileOperation::set_times);
  request.operation = operation >= 0 && operation <= last
                          ? static_cast<engine::FileOperation>(operation)
                          : engine::FileOperation::status;
  request.mount = json.value("mount", 0U);
  request.path = json.value("path", "");
  request.follow = json.value("follow", false);
  request.create = json.value("create", false);
  request.exclusive = json.value("exclusive", false);
  request.truncate = json.value("truncate", false);
  request.directory = json.value("directory", false);
  request.read = json.value("read", false);
  request.write = json.value("write", false);
  request.to_mount = json.value("to-mount", 0U);
  request.to_path = json.value("to-path", "");
  request.target = json.value("target", "");
  request.access_time = json.value("access-time", std::int64_t{-1});
  request.modification_time = json.value("modification-time", std::int64_t{-1});
  return request;
}

Json to_json(const FileAnswer& answer) {
  const engine::FileStatus& status = answer.reply.status;
  Json json{{"error", answer.reply.error},
            {"status",
             {status.mode, status.links, status.size, status.device, status.inode,
              status.access_time, status.modification_time, status.change_time}},
            {"target", answer.reply.target},
            {"remote", answer.reply.remote},
            {"created", answer.created}};
  if (answer.problem) json["problem"] = *answer.problem;
  if (answer.refusal) {
    json["refusal"] = {{"rule", answer.refusal->rule},
                       {"reason", answer.refusal->reason},
                       {"write", answer.refusal->write}};
  }
  return json;
}

FileAnswer answer_from_json(const Json& json) {
  FileAnswer answer;
  answer.reply.error = json.value("error", EIO);
  answer.reply.target = json.value("target", "");
  answer.reply.remote = json.value("remote", true);
  answer.created = json.value("created", false);
  if (const auto problem = json.find("problem"); problem != json.end()) {
    answer.problem = problem->get<std::string>();
  }
  const Json status = json.value("status", Json::array());
  if (status.size() == 8) {
    answer.reply.status = {.mode = status[0].get<std::uint32_t>(),
                           .links = status[1].get<std::uint64_t>(),
                           .size = status[2].get<std::uint64_t>(),
                           .device = status[3].get<std::uint64_t>(),
                           .inode = status[4].get<std::uint64_t>(),
                           .access_time = status[5].get<std::int64_t>(),
                           .modification_time = status[6].get<std::int64_t>(),
                           .change_time = status[7].get<std::int64_t>()};
  }
  if (const auto refusal = json.find("refusal"); refusal != json.end()) {
    answer.refusal = FileRefusal{refusal->value("rule", ""), refusal->value("reason", ""),
                                 refusal->value("write", false)};
  }
  return answer;
}

}  // namespace belljar::host
