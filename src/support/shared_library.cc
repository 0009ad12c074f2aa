#include "support/shared_library.h"

#include <dlfcn.h>

#include "support/result.h"

namespace belljar {

SharedLibrary::SharedLibrary(const char* name)
    : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)), name_(name) {
  if (handle_ != nullptr) return;
  const char* const text = ::dlerror();
  problem_ = text == nullptr ? "it cannot be opened" : text;
}

void* SharedLibrary::find(const char* function) {
  void* const found = handle_ == nullptr ? nullptr : ::dlsym(handle_, function);
  if (found == nullptr && problem_.empty()) problem_ = fmt::format("it has no {}", function);
  return found;
}

Result<void> SharedLibrary::opened() const {
  if (problem_.empty()) return {};
  return fail(ErrorCode::internal,
              "the library {}, which Belljar needs, is not installed as it was: {}", name_,
              problem_);
}

}  // namespace belljar
