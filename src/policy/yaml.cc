#include "policy/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <sstream>
#include <utility>

#include "support/result.h"
#include "support/text.h"
#include "support/units.h"

namespace belljar::policy {
namespace {

constexpr std::size_t maximum_size = 256 * 1024;
constexpr std::size_t maximum_depth = 16;
constexpr std::size_t maximum_nodes = 10'000;

Place place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

/// A refusal on its way out of the parser, which has no other way to stop.
struct Refused {
  Place place;
  std::string message;
};

/// The first line that a tab indents.
std::optional<Place> find_tab_indent(std::string_view text) {
  int line = 1;
  int column = 1;
  bool indent = true;
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      column = 1;
      indent = true;
      continue;
    }
    if (indent && c == '\t') return Place{line, column};
    indent = indent && c == ' ';
    ++column;
  }
  return std::nullopt;
}

/// Whether the quote that opens at `start` is closed. yaml-cpp reads on to the end of the text and
/// takes what it has.
bool is_closed(std::string_view text, std::size_t start) {
  const char quote = text[start];
  for (std::size_t i = start + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return true;
      ++i;
    }
  }
  return false;
}

/// Builds the tree from parser events. Aliases are refused before anything is expanded.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused{place_of(mark), "a second document; only one is read"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, anchor, {}, YamlNode::Kind::null);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{place_of(mark), "aliases are not read here; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp says "!" for a quoted scalar and "?" for a plain one.
    const bool quoted = tag == "!";
    const auto start = static_cast<std::size_t>(mark.pos);
    if (quoted && start < text_.size() && (text_[start] == '"' || text_[start] == '\'') &&
        !is_closed(text_, start)) {
      throw Refused{place_of(mark), "this quote is never closed"};
    }
    YamlNode& node = add(mark, anchor, quoted ? "?" : tag, YamlNode::Kind::scalar);
    node.text = value;
    node.quoted = quoted;
    if (!quoted && (value == "~" || value == "null" || value.empty())) {
      node.kind = YamlNode::Kind::null;
    }
    close_if_key();
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, tag, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { stack_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, tag, YamlNode::Kind::map);
  }
  void OnMapEnd() override { stack_.pop_back(); }

  YamlNode root;

 private:
  YamlNode& add(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag,
                YamlNode::Kind kind) {
    const Place place = place_of(mark);
    if (anchor != 0) throw Refused{place, "anchors are not read here; write the value out"};
    if (!tag.empty() && tag != "?") {
      throw Refused{place, fmt::format("tags such as \"{}\" are not read here", one_line(tag, 40))};
    }
    if (++nodes_ > maximum_nodes) {
      throw Refused{place, fmt::format("more than {} values", maximum_nodes)};
    }
    YamlNode node;
    node.kind = kind;
    node.place = place;
    if (stack_.empty()) {
      root = std::move(node);
      return root;
    }
    YamlNode& parent = *stack_.back();
    const bool is_key =
        parent.kind == YamlNode::Kind::map && parent.keys.size() == parent.items.size();
    if (is_key && kind != YamlNode::Kind::scalar && kind != YamlNode::Kind::null) {
      throw Refused{place, "a key has to be plain text"};
    }
    auto& siblings = is_key ? parent.keys : parent.items;
    siblings.push_back(std::move(node));
    return siblings.back();
  }

  /// Refuses a key that its map has already.
  void close_if_key() {
    if (stack_.empty() || stack_.back()->kind != YamlNode::Kind::map) return;
    const YamlNode& map = *stack_.back();
    if (map.keys.size() == map.items.size()) return;
    const YamlNode& key = map.keys.back();
    for (std::size_t i = 0; i + 1 < map.keys.size(); ++i) {
      if (map.keys[i].text == key.text) {
        throw Refused{key.place, fmt::format("the key \"{}\" is given twice; first in line {}",
                                             one_line(key.text, 60), map.keys[i].place.line)};
      }
    }
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag,
            YamlNode::Kind kind) {
    if (stack_.size() >= maximum_depth) {
      throw Refused{place_of(mark), fmt::format("nested deeper than {}", maximum_depth)};
    }
    // References into the tree stay valid: a parent's vector grows only after its child closed.
    stack_.push_back(&add(mark, anchor, tag == "!" ? "?" : tag, kind));
  }

  std::string_view text_;
  std::vector<YamlNode*> stack_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

Error error_at(std::string_view file, Place place, std::string_view message) {
  return Error(ErrorCode::invalid_policy,
               fmt::format("{}:{}:{}: {}", file, place.line, place.column, message));
}

Result<YamlNode> read_yaml(std::string_view text, std::string_view file) {
  if (text.size() > maximum_size) {
    return std::unexpected(
        error_at(file, {1, 1},
                 fmt::format("{}; at most {} are read", format_bytes(Bytes{text.size()}),
                             format_bytes(Bytes{maximum_size}))));
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return std::unexpected(error_at(file, {1, 1}, "starts with a byte order mark; remove it"));
  }
  if (!is_utf8(text)) return std::unexpected(error_at(file, {1, 1}, "not UTF-8"));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(text);
    if (!parser.HandleNextDocument(builder)) {
      return std::unexpected(error_at(file, {1, 1}, "the file is empty"));
    }
    parser.HandleNextDocument(builder);
    return std::move(builder.root);
  } catch (const Refused& refused) {
    return std::unexpected(error_at(file, refused.place, refused.message));
  } catch (const YAML::Exception& error) {
    // The parser blames what comes before or after a tab.
    if (const auto tab = find_tab_indent(text)) {
      return std::unexpected(error_at(file, *tab, "a tab cannot indent YAML; use spaces"));
    }
    return std::unexpected(error_at(file, place_of(error.mark), error.msg));
  } catch (const std::exception& error) {
    return std::unexpected(error_at(file, {1, 1}, error.what()));
  }
}

}  // namespace belljar::policy
