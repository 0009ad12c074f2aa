#include "runtime/version.h"

namespace belljar::runtime {

std::string_view version() { return BELLJAR_VERSION; }

}  // namespace belljar::runtime
