#include "host/method_override.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/header_name.h"
#include "support/text.h"

namespace belljar::host {
namespace {

/// Headers and parameters that are for nothing else. Names as `plain_header_name` writes them: the
/// underscore of `_method` is a dash here.
constexpr std::array<std::string_view, 8> overrides{
    "x-http-method", "x-http-method-override", "x-method-override", "http-method-override",
    "-method",       "-method-override",       "-httpmethod",       "-http-method"};

/// RFC 9110, WebDAV and its extensions (RFC 4918, 3253, 3648, 4437, 5323, 5789, 5842), and what is
/// in use without a registration. The last is a method that nobody has heard of.
constexpr std::array<std::string_view, 40> methods{"GET",
                                                   "HEAD",
                                                   "POST",
                                                   "PUT",
                                                   "DELETE",
                                                   "OPTIONS",
                                                   "PATCH",
                                                   "CONNECT",
                                                   "TRACE",
                                                   "MERGE",
                                                   "QUERY",
                                                   "PROPFIND",
                                                   "PROPPATCH",
                                                   "MKCOL",
                                                   "COPY",
                                                   "MOVE",
                                                   "LOCK",
                                                   "UNLOCK",
                                                   "SEARCH",
                                                   "REPORT",
                                                   "ACL",
                                                   "BIND",
                                                   "REBIND",
                                                   "UNBIND",
                                                   "CHECKIN",
                                                   "CHECKOUT",
                                                   "UNCHECKOUT",
                                                   "LABEL",
                                                   "LINK",
                                                   "UNLINK",
                                                   "MKACTIVITY",
                                                   "MKCALENDAR",
                                                   "MKWORKSPACE",
                                                   "UPDATE",
                                                   "ORDERPATCH",
                                                   "BASELINE-CONTROL",
                                                   "VERSION-CONTROL",
                                                   "PURGE",
                                                   "REMOVE",
                                                   "BELLJAR-OTHER"};

/// A header that asks what may be done (Fetch, 3.3.2), and does nothing.
constexpr std::string_view asking_header = "access-control-request-method";

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

bool is_method(std::string_view upper) {
  return std::find(methods.begin(), methods.end(), upper) != methods.end();
}

bool is_override(std::string_view plain_name) {
  return std::find(overrides.begin(), overrides.end(), plain_name) != overrides.end();
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

/// With escapes undone until none is left: a proxy may undo some before the server does.
std::string decoded(std::string_view text) {
  constexpr int rounds = 4;
  std::string now(text);
  for (int round = 0; round < rounds; ++round) {
    std::string next;
    for (std::size_t i = 0; i < now.size(); ++i) {
      const auto high = now[i] == '%' && i + 2 < now.size() ? hex_digit(now[i + 1]) : std::nullopt;
      const auto low = high ? hex_digit(now[i + 2]) : std::nullopt;
      if (low) {
        next += static_cast<char>(*high << 4U | *low);
        i += 2;
      } else {
        next += now[i];
      }
    }
    if (next == now) break;
    now = std::move(next);
  }
  return now;
}

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// The words of a value, in upper case. A dot is within one: `flickr.photos.search` is no method.
std::vector<std::string> words_of(std::string_view value) {
  std::vector<std::string> words(1);
  for (const char c : value) {
    if (is_word_character(c) || c == '.') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  for (std::string& word : words) word = to_upper(word);
  return words;
}

void add_methods(std::string_view plain_name, std::string_view value,
                 std::vector<std::string>& found) {
  if (plain_name.find("method") == std::string_view::npos || plain_name == asking_header) return;
  for (std::string& word : words_of(value)) {
    if (is_override(plain_name) || is_method(word)) found.push_back(std::move(word));
  }
}

}  // namespace

std::span<const std::string_view> methods_to_try() { return methods; }

std::vector<std::string> overriding_methods(std::span<const engine::HttpHeader> headers,
                                            std::string_view target) {
  std::vector<std::string> found;
  for (const engine::HttpHeader& header : headers) {
    add_methods(plain_header_name(header.name), header.value, found);
  }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return found;
  // Semicolons separate as well for some, and a second question mark is a part of a name for
  // others.
  std::string query(target.substr(mark + 1));
  std::replace_if(query.begin(), query.end(), [](char c) { return c == ';' || c == '?'; }, '&');
  for (const std::string_view pair : split(query, '&')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    std::string name = plain_header_name(decoded(pair.substr(0, equals)));
    // `_method[]`
    while (name.size() > 1 && name.ends_with('-')) name.pop_back();
    add_methods(name, decoded(pair.substr(equals + 1)), found);
  }
  return found;
}

bool OverrideScanner::look(std::string_view bytes) {
  for (const char c : bytes) {
    if (found_) return true;
    if (escape_length_ == 0 && c == '%') {
      escape_length_ = 1;
    } else if (escape_length_ == 1 && hex_digit(c)) {
      escape_[0] = c;
      escape_length_ = 2;
    } else if (escape_length_ == 2 && hex_digit(c)) {
      escape_length_ = 0;
      unquote(static_cast<char>(*hex_digit(escape_[0]) << 4U | *hex_digit(c)));
    } else {
      if (escape_length_ > 0) unquote('%');
      if (escape_length_ == 2) unquote(escape_[0]);
      escape_length_ = c == '%' ? 1 : 0;
      if (c != '%') unquote(c);
    }
  }
  return found_;
}

bool OverrideScanner::finish() {
  for (const char c : std::exchange(quote_, {})) take(c);
  end_word('&');
  return found_;
}

void OverrideScanner::unquote(char c) {
  // A backslash, `u` and four digits.
  constexpr std::size_t whole = 6;
  if (quote_.empty()) {
    if (c == '\\') {
      quote_ = c;
    } else {
      take(c);
    }
  } else if (quote_.size() == 1 && c != 'u') {
    quote_.clear();
    take(c);
  } else if (quote_.size() == 1 || hex_digit(c)) {
    quote_ += c;
    if (quote_.size() < whole) return;
    unsigned unit = 0;
    for (const char digit : std::string_view(quote_).substr(2))
      unit = unit << 4U | *hex_digit(digit);
    quote_.clear();
    // What is beyond ASCII is part of no name that is looked for.
    take(unit < 0x80 ? static_cast<char>(unit) : '\x7F');
  } else {
    // No escape after all: the character behind the backslash is itself.
    for (const char held : std::exchange(quote_, {}).substr(1)) take(held);
    unquote(c);
  }
}

void OverrideScanner::take(char c) {
  if (!is_word_character(c)) return end_word(c);
  word_is_longer_ = word_is_longer_ || word_.size() == longest_word;
  if (!word_is_longer_) word_ += c;
}

void OverrideScanner::end_word(char c) {
  const char before = std::exchange(before_, c);
  if (word_.empty()) {
    method_is_next_ = false;
    return;
  }
  // A name stands behind or before what marks one in a form, a part's head or an object. Others
  // write of methods as well, and mean nothing by it.
  constexpr std::string_view marks_before = "=\"'";
  constexpr std::string_view marks_behind = "=[\"':\\]";
  const bool is_name = marks_before.find(before) != std::string_view::npos ||
                       marks_behind.find(c) != std::string_view::npos;
  const std::string name = word_is_longer_ ? std::string() : plain_header_name(word_);
  if (is_name && is_override(name)) found_ = true;
  if (method_is_next_ && !word_is_longer_ &&
      std::find(refused_.begin(), refused_.end(), to_upper(word_)) != refused_.end()) {
    found_ = true;
  }
  method_is_next_ = name == "method" && c == '=';
  word_.clear();
  word_is_longer_ = false;
}

}  // namespace belljar::host
