// The host, as the crate's bridge wants it: converts types, keeps exceptions out of the crate.
#pragma once

#include <memory>

#include "belljar-engine/src/bridge.rs.h"
#include "engine/host.h"

namespace belljar::engine {

/// Wraps `host` for the crate.
[[nodiscard]] std::shared_ptr<bridge::Host> bridge_host(std::shared_ptr<Host> host);

}  // namespace belljar::engine
