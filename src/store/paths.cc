#include "store/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "support/result.h"

namespace belljar::store {
namespace {

/// XDG says that a relative path in one of its variables is to be ignored.
std::optional<std::filesystem::path> absolute(const GetVariable& variable, const char* name) {
  const auto value = variable(name);
  if (!value || !value->starts_with('/')) return std::nullopt;
  return std::filesystem::path(*value);
}

}  // namespace

std::optional<std::string> environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

Result<Paths> find_paths(const GetVariable& variable) {
  const auto own = variable("BELLJAR_HOME");
  if (own && !own->empty()) {
    std::error_code error;
    const auto home = std::filesystem::absolute(*own, error);
    if (error) return fail(ErrorCode::invalid_argument, "BELLJAR_HOME: {}", error.message());
    return Paths{home / "data", home / "config", home / "cache", home / "run"};
  }
  std::optional<std::filesystem::path> home = absolute(variable, "HOME");
  if (!home) {
    const passwd* const entry = ::getpwuid(::getuid());
    if (entry != nullptr && entry->pw_dir != nullptr) home = entry->pw_dir;
  }
  const auto folder = [&](const char* name, const char* usual) {
    const auto given = absolute(variable, name);
    return given ? *given / "belljar" : *home / usual / "belljar";
  };
  if (!home) {
    return fail(ErrorCode::invalid_argument,
                "no home folder is known; set HOME or BELLJAR_HOME to a folder of this user");
  }
  Paths paths{folder("XDG_DATA_HOME", ".local/share"),
              folder("XDG_CONFIG_HOME", ".config"),
              folder("XDG_CACHE_HOME", ".cache"),
              {}};
  const auto runtime = absolute(variable, "XDG_RUNTIME_DIR");
  std::error_code error;
  // Not in the system's temporary folder: whoever made one of that name there first could keep
  // Belljar from starting.
  const bool usable = runtime && std::filesystem::is_directory(*runtime, error);
  paths.run = usable ? *runtime / "belljar" : paths.data / "run";
  return paths;
}

}  // namespace belljar::store
