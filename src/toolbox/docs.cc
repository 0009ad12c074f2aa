#include "toolbox/docs.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "support/text.h"

namespace belljar::toolbox {
namespace {

struct Item {
  std::string_view name;
  std::string_view text;
};

/// Reads "- `name`: text", the beginning of an item.
std::optional<Item> read_item(std::string_view line) {
  constexpr std::string_view begin = "- `";
  constexpr std::string_view end = "`:";
  if (!line.starts_with(begin)) return std::nullopt;
  line.remove_prefix(begin.size());
  const std::size_t close = line.find(end);
  if (close == std::string_view::npos) return std::nullopt;
  return Item{line.substr(0, close), trim(line.substr(close + end.size()))};
}

/// Whether a line goes on with the item above it: as in Markdown, until an empty line or the
/// beginning of something else.
bool continues(std::string_view line) {
  return !trim(line).empty() && !line.starts_with("- ") && !line.starts_with("#") &&
         !line.starts_with("```");
}

void append(std::string& text, std::string_view more, std::string_view separator) {
  if (!text.empty()) text += separator;
  text += more;
}

}  // namespace

FunctionDocs read_docs(const engine::Function& function) {
  const auto is_parameter = [&](std::string_view name) {
    return std::any_of(function.parameters.begin(), function.parameters.end(),
                       [&](const engine::Member& parameter) { return parameter.name == name; });
  };
  FunctionDocs docs;
  std::string* about = nullptr;
  bool was_empty = false;
  for (const std::string_view line : split(function.docs, '\n')) {
    if (const auto item = read_item(line);
        item && is_parameter(item->name) && !docs.parameters.contains(item->name)) {
      about = &docs.parameters.emplace(item->name, item->text).first->second;
      continue;
    }
    if (about != nullptr && continues(line)) {
      append(*about, trim(line), " ");
      continue;
    }
    about = nullptr;
    // Where lines were taken out, two empty ones may meet.
    const bool is_empty = trim(line).empty();
    if (!(is_empty && was_empty)) append(docs.description, line, "\n");
    was_empty = is_empty || docs.description.empty();
  }
  docs.description = trim(docs.description);
  return docs;
}

}  // namespace belljar::toolbox
