#include "artifact/reference.h"

#include <algorithm>

#include "support/result.h"
#include "support/text.h"

namespace belljar::artifact {
namespace {

constexpr std::size_t maximum_name = 40;

/// The name of Belljar's own tools.
constexpr std::string_view reserved = "belljar";

std::string name_of_file(const std::filesystem::path& path) {
  std::string stem = path.filename().native();
  for (const std::string_view ending : {".wasm", ".wat", ".component"}) {
    if (stem.size() > ending.size() && to_lower(stem).ends_with(ending)) {
      stem.resize(stem.size() - ending.size());
    }
  }
  std::string name;
  for (const char c : to_lower(stem)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) {
      name.push_back(c);
    } else if (!name.empty() && name.back() != '-') {
      name.push_back('-');
    }
  }
  name.resize(std::min(name.size(), maximum_name));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

}  // namespace

bool is_component_name(std::string_view text) {
  // A number is a grant's.
  if (text.find_first_not_of("0123456789") == std::string_view::npos) return false;
  return text.size() <= maximum_name && text != reserved && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool looks_like_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".wasm") ||
         text.ends_with(".wat");
}

Result<Reference> parse_reference(std::string_view text) {
  std::string_view name;
  std::string_view target = text;
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos &&
      text.substr(0, equals).find('/') == std::string_view::npos) {
    name = text.substr(0, equals);
    target = text.substr(equals + 1);
    if (!is_component_name(name)) {
      return fail(ErrorCode::invalid_argument,
                  "\"{}\" cannot be the name of a component: use a-z, 0-9 and -, at most {} "
                  "characters, not digits alone, and not \"belljar\"",
                  one_line(name, 60), maximum_name);
    }
  }
  for (const std::string_view scheme : {"https://", "http://", "oci://"}) {
    if (target.starts_with(scheme)) {
      return fail(ErrorCode::invalid_argument,
                  "\"{}\": components are loaded from files in this version; download it, check it "
                  "and give its path",
                  one_line(target, 120));
    }
  }
  if (target.empty()) return fail(ErrorCode::invalid_argument, "no file is named");
  std::error_code error;
  Reference reference;
  reference.path = std::filesystem::absolute(target, error).lexically_normal();
  if (error) return fail(ErrorCode::invalid_argument, "{}: {}", target, error.message());
  reference.name = name.empty() ? name_of_file(reference.path) : std::string(name);
  if (!is_component_name(reference.name)) {
    return fail(ErrorCode::invalid_argument,
                "no name can be made of the file name \"{}\"; give one: NAME={}",
                one_line(reference.path.filename().native(), 60), one_line(target, 120));
  }
  return reference;
}

}  // namespace belljar::artifact
