// What the opener and its server say to each other: one JSON text a packet, perhaps with a
// descriptor.
#pragma once

#include <optional>

#include "belljar/error.h"
#include "host/file_gate.h"
#include "policy/snapshot.h"
#include "support/file.h"
#include "support/json.h"

namespace belljar::host {

struct Packet {
  Json json;
  UniqueFd descriptor;
};

/// `flags` are those of sendmsg(2).
[[nodiscard]] Result<void> send_packet(int socket, std::string text, int descriptor = -1,
                                       int flags = 0);
/// JSON as the text of a packet; an error where it would be too large for one.
[[nodiscard]] Result<std::string> packet_text(const Json& json);
/// Nothing where the other side has gone.
[[nodiscard]] Result<std::optional<Packet>> receive_packet(int socket);
/// The JSON of a packet, in which all numbers are whole.
[[nodiscard]] Result<Json> parse_packet(std::string_view text);

[[nodiscard]] Json to_json(const policy::Mount& mount);
[[nodiscard]] Json to_json(const policy::StorageRule& rule);
[[nodiscard]] policy::StorageRule storage_rule_from_json(const Json& json);
[[nodiscard]] policy::Mount mount_from_json(const Json& json);
[[nodiscard]] Json to_json(const engine::FileRequest& request);
[[nodiscard]] engine::FileRequest request_from_json(const Json& json);
/// Without the descriptor, which travels beside the text.
[[nodiscard]] Json to_json(const FileAnswer& answer);
[[nodiscard]] FileAnswer answer_from_json(const Json& json);

}  // namespace belljar::host
