// What an answer has to be, where a secret went out, so that it can be looked through.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/host.h"
#include "host/response_head.h"

namespace belljar::host {

/// Why a request may not carry a secret: it asks for an answer that is cut or written as the guest
/// chooses, so that a secret in it would not be told from other text. Nothing where it may.
[[nodiscard]] std::optional<std::string> asks_for_what_cannot_be_searched(
    std::span<const engine::HttpHeader> headers);

/// Why an answer cannot be looked through for secrets: it is a part of something, compressed, or in
/// a character set of its own. Nothing where it can.
[[nodiscard]] std::optional<std::string> why_it_cannot_be_searched(const ResponseHead& head);

/// Whether this header asks for a compressed answer, in any spelling. Where a secret goes out, the
/// host says itself that none is wanted.
[[nodiscard]] bool asks_for_compression(const engine::HttpHeader& header);

}  // namespace belljar::host
