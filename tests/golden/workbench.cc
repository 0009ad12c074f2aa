#include "workbench.h"

#include <utility>

#include "support/result.h"

namespace belljar::golden {

Result<std::unique_ptr<Workbench>> Workbench::create() {
  std::unique_ptr<Workbench> workbench(new Workbench);
  Options options;
  options.home = workbench->home_.path();
  options.compiler = BELLJAR_COMPILER_HELPER;
  options.sandboxes = 16;
  BELLJAR_TRY(workbench->runtime_, Runtime::create(std::move(options)));
  return workbench;
}

Result<std::filesystem::path> Workbench::guest(std::string_view file) {
  const bool text = file.ends_with(".wat");
  std::filesystem::path path = text ? BELLJAR_GUEST_SOURCES : BELLJAR_GUESTS;
  path /= file;
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  return fail(
      ErrorCode::not_found, "{} is not there{}", path.native(),
      text ? "" : "; build it: python3 tools/build_guests.py --belljar build/release/bin/belljar");
}

}  // namespace belljar::golden
