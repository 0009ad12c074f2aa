#include "golden_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/json.h"
#include "support/result.h"
#include "support/text.h"
#include "workbench.h"

namespace belljar::golden {
namespace {

constexpr std::size_t line_width = 96;
constexpr std::string_view handle_prefix = "handle-";
constexpr std::size_t handle_length = handle_prefix.size() + 32;

void lay_out(const Json& json, std::size_t indent, std::size_t width, std::string& out) {
  const std::string line = json.dump();
  if (!json.is_structured() || json.empty() || indent + line.size() <= width) {
    out += line;
    return;
  }
  const bool object = json.is_object();
  out += object ? "{\n" : "[\n";
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    if (!std::exchange(first, false)) out += ",\n";
    const std::string start =
        std::string(indent + 2, ' ') + (object ? json_string(key) + ": " : "");
    out += start;
    // The key stands on the line as well.
    const std::string text = value.dump();
    if (start.size() + text.size() <= width) {
      out += text;
    } else {
      lay_out(value, indent + 2, width, out);
    }
  }
  out += "\n" + std::string(indent, ' ') + (object ? "}" : "]");
}

std::string describe_outcome(const Outcome& outcome) {
  if (const auto* returned = std::get_if<Returned>(&outcome.result)) {
    return returned->json.empty() ? "gives nothing" : "gives " + returned->json;
  }
  if (const auto* error = std::get_if<ToolError>(&outcome.result)) {
    // Its own error, or what Belljar says of the arguments.
    return error->message.empty() ? "fails with " + error->json : "refused: " + error->message;
  }
  if (const auto* trapped = std::get_if<Trapped>(&outcome.result)) {
    return "traps: " + trapped->message;
  }
  if (const auto* limit = std::get_if<LimitReached>(&outcome.result)) {
    return fmt::format("reaches the limit {} of {}", limit->limit, limit->allowed);
  }
  return "ends in another way";
}

}  // namespace

std::string layout(std::string_view json, std::size_t width) {
  std::string out;
  lay_out(Json::parse(json), 0, width, out);
  return out;
}

std::string GoldenFile::replay(std::string_view text) {
  out_.clear();
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const std::string_view line : split(text, '\n')) {
    // An answer of before.
    if (line.starts_with("  ")) continue;
    out_ += line;
    out_ += '\n';
    if (!line.empty() && !line.starts_with('#')) ask(line);
  }
  return out_;
}

void GoldenFile::ask(std::string_view question) {
  const std::size_t space = question.find(' ');
  const std::string_view word = question.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : question.substr(space + 1);
  if (word == "load") return load(rest);
  if (word == "tools") return list_tools();
  if (word == "tool") return describe(rest);
  if (word == "call") return call(rest);
  if (word == "client") {
    client_ = rest;
    return;
  }
  answer("this is no question; see golden_file.h");
}

void GoldenFile::answer(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out_ += fmt::format("  {}\n", line);
  }
}

void GoldenFile::load(std::string_view file) {
  const auto path = Workbench::guest(file);
  if (!path) return answer(path.error().describe());
  const auto loaded = runtime_.load(path->native());
  component_ = loaded.value_or("");
  // The folder is another one on every machine.
  if (!loaded) {
    std::string message = loaded.error().describe();
    if (const std::size_t at = message.find(path->native()); at != std::string::npos) {
      message.replace(at, path->native().size(), file);
    }
    answer("cannot be loaded: " + message);
  }
}

void GoldenFile::list_tools() {
  const auto tools = runtime_.tools();
  for (const ToolDescription& tool : tools) {
    if (tool.component == component_) answer(fmt::format("{}  \"{}\"", tool.name, tool.title));
  }
}

void GoldenFile::describe(std::string_view name) {
  tool_ = name;
  const auto tools = runtime_.tools();
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [&](const ToolDescription& tool) { return tool.name == name; });
  if (found == tools.end()) return answer("there is no such tool");
  if (!found->description.empty()) answer(found->description);
  answer("input " + layout(found->input_schema, line_width));
  if (!found->output_schema.empty()) answer("output " + layout(found->output_schema, line_width));
}

void GoldenFile::call(std::string_view arguments) {
  Call call;
  call.tool = tool_;
  call.arguments = with_handles(arguments);
  call.client = client_;
  const auto outcome = runtime_.call(call);
  answer(without_handles(outcome ? describe_outcome(*outcome)
                                 : "is an error: " + outcome.error().describe()));
}

std::string GoldenFile::with_handles(std::string_view text) const {
  std::string replaced(text);
  for (std::size_t i = 0; i < handles_.size(); ++i) {
    const std::string name = fmt::format("<handle {}>", i + 1);
    for (std::size_t at = 0; (at = replaced.find(name, at)) != std::string::npos;) {
      replaced.replace(at, name.size(), handles_[i]);
    }
  }
  return replaced;
}

std::string GoldenFile::without_handles(std::string text) {
  for (std::size_t at = 0; (at = text.find("\"handle-", at)) != std::string::npos; ++at) {
    const std::string handle = text.substr(at + 1, handle_length);
    auto known = std::find(handles_.begin(), handles_.end(), handle);
    if (known == handles_.end()) known = handles_.insert(handles_.end(), handle);
    text.replace(at + 1, handle_length, fmt::format("<handle {}>", known - handles_.begin() + 1));
  }
  return text;
}

}  // namespace belljar::golden
