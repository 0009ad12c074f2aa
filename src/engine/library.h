// Where the engine's code is.
#pragma once

#include <filesystem>

namespace belljar::engine {

/// The shared object that holds the engine. The compiler helper needs it, too.
[[nodiscard]] std::filesystem::path engine_library();

}  // namespace belljar::engine
