#include "policy/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size() || value == 0 || value > 65535) {
    return fail(ErrorCode::invalid_argument, "\"{}\" is not a port; ports are 1 to 65535",
                one_line(text, 20));
  }
  return static_cast<std::uint16_t>(value);
}

struct HostAndPort {
  std::string_view host;
  /// Absent where there is no colon for it.
  std::optional<std::string_view> port;
};

/// Splits `host:port`, `[v6]:port`, and a bare IPv6 address.
HostAndPort split_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close != std::string_view::npos && close + 1 < text.size() && text[close + 1] == ':') {
      return {text.substr(0, close + 1), text.substr(close + 2)};
    }
    return {text, std::nullopt};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return {text, std::nullopt};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

constexpr std::array<std::string_view, 2> kernel_folders{"/proc", "/sys"};

constexpr std::array<std::string_view, 11> limits{"memory",   "fuel",     "timeout", "instances",
                                                  "output",   "handles",  "written", "files",
                                                  "response", "requests", "clock"};

template <typename T>
Result<void> put(std::optional<T>& target, Result<T> value, T least, T most,
                 std::string_view bounds) {
  BELLJAR_CHECK(value);
  if (*value < least || *value > most) {
    return fail(ErrorCode::invalid_argument, "out of range; it has to be from {}", bounds);
  }
  target = *value;
  return {};
}

Result<std::uint32_t> small_count(std::string_view text) {
  BELLJAR_TRY(const std::uint64_t value, parse_count(text));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xFFFFFFFF));
}

}  // namespace

Result<NetworkRule> parse_host_rule(std::string_view text, Defaults defaults) {
  std::string_view rest = text;
  std::optional<Scheme> scheme;
  const std::size_t colon = rest.find("://");
  if (colon != std::string_view::npos) {
    const std::string name = to_lower(rest.substr(0, colon));
    if (name != "http" && name != "https") {
      return fail(ErrorCode::invalid_argument, "\"{}\": requests go over http or https",
                  one_line(text, 80));
    }
    scheme = name == "http" ? Scheme::http : Scheme::https;
    rest.remove_prefix(colon + 3);
  }
  std::vector<PathPattern> paths;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    // A lone slash says nothing: Wassette's files end their hosts with one.
    if (slash + 1 < rest.size()) {
      BELLJAR_TRY(PathPattern path, PathPattern::parse(rest.substr(slash)));
      // Written out again it would be a lone slash, and that is every path.
      if (path.text() == "/") {
        return fail(ErrorCode::invalid_argument,
                    "\"{}\": this path is \"/\" alone; leave it away for all of the host, or write "
                    "paths: [\"/\"] in a policy file",
                    one_line(text, 80));
      }
      paths.push_back(std::move(path));
    }
    rest = rest.substr(0, slash);
  }
  if (rest.find('@') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "\"{}\": a host has no user in it; use a secret",
                one_line(text, 80));
  }
  const auto [host, port] = split_port(rest);
  BELLJAR_TRY(HostPattern pattern, HostPattern::parse(host));
  NetworkRule rule{std::move(pattern), {}, std::nullopt, {}, std::move(paths), {}};
  if (port) {
    BELLJAR_TRY(rule.port, parse_port(*port));
  }
  if (scheme) {
    rule.schemes = {*scheme};
    if (!rule.port && defaults == Defaults::https) rule.port = default_port(*scheme);
  } else if (defaults == Defaults::https) {
    rule.schemes = {Scheme::https};
    if (!rule.port) rule.port = default_port(Scheme::https);
  } else {
    rule.schemes = {Scheme::http, Scheme::https};
  }
  return rule;
}

Result<SocketRule> parse_socket_rule(Transport transport, std::string_view text) {
  const auto [host, port] = split_port(text);
  if (!port) {
    return fail(ErrorCode::invalid_argument, "\"{}\": a socket needs a port, as in db.example:5432",
                one_line(text, 80));
  }
  BELLJAR_TRY(HostPattern pattern, HostPattern::parse(host));
  BELLJAR_TRY(const std::uint16_t number, parse_port(*port));
  return SocketRule{transport, std::move(pattern), number, {}};
}

bool is_token(std::string_view text) {
  constexpr std::string_view special = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           special.find(c) != std::string_view::npos;
  });
}

Result<void> check_method(std::string_view method) {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  const auto is_plain = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  std::string upper(method);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  // Requests have no such methods, so that they would match none.
  if (method.find('*') != std::string_view::npos || upper == "ANY" || upper == "ALL") {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is not a method; leave the methods out to mean all of them, or name them: "
                "GET, HEAD, POST …",
                one_line(method, 20));
  }
  if (method.empty() || !is_letter(method.front()) ||
      !std::all_of(method.begin(), method.end(), is_plain)) {
    return fail(ErrorCode::invalid_argument, "\"{}\" is not a method; write GET, HEAD, POST …",
                one_line(method, 20));
  }
  if (method != upper) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is not a method, since they are told by their letters' case; write {}",
                one_line(method, 20), one_line(upper, 20));
  }
  if (method == "CONNECT" || method == "TRACE") {
    return fail(ErrorCode::invalid_argument, "{} is never sent", method);
  }
  return {};
}

Result<void> check_variable(std::string_view key) {
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
  });
  if (key.empty() || key.size() > 128 || !plain) {
    return fail(ErrorCode::invalid_argument, "\"{}\" is not the name of an environment variable",
                one_line(key, 40));
  }
  return {};
}

Result<void> check_secret_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
  });
  if (name.empty() || name.size() > 64 || !plain || name.front() == '-') {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is not a name for a secret; use a-z, 0-9 and -, such as weather-key",
                one_line(name, 40));
  }
  return {};
}

Result<void> check_secret_header(std::string_view header) {
  constexpr std::array<std::string_view, 9> reserved{
      "host",    "connection", "content-length", "transfer-encoding", "te", "proxy-authorization",
      "upgrade", "trailer",    "expect"};
  const bool taken = std::any_of(reserved.begin(), reserved.end(), [&](std::string_view name) {
    return equals_ignoring_case(name, header);
  });
  if (!is_token(header) || taken) {
    return fail(ErrorCode::invalid_argument, "\"{}\" is not a header that a secret can go into",
                one_line(header, 40));
  }
  return {};
}

Result<void> check_secret_user(std::string_view user) {
  const bool plain = std::none_of(user.begin(), user.end(), [](char c) {
    return c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (!plain) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" cannot be the user of basic authentication: it has a colon or a control "
                "character in it",
                one_line(user, 40));
  }
  return {};
}

Result<std::string> guest_path(std::string_view path) {
  if (!path.starts_with('/')) {
    return fail(ErrorCode::invalid_argument, "\"{}\": a path in the guest starts with \"/\"",
                one_line(path, 80));
  }
  std::string clean;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      return fail(ErrorCode::invalid_argument, "\"{}\": write the path in the guest without \"{}\"",
                  one_line(path, 80), part);
    }
    clean += '/';
    clean += part;
  }
  return clean.empty() ? "/" : clean;
}

Result<void> check_shows_as_it_is(std::string_view text) {
  if (one_line(text, text.size() + 1) == text) return {};
  return fail(ErrorCode::invalid_argument,
              "\"{}\": it has control, escape or direction characters in it, which could show you "
              "something else than you grant",
              one_line(text, 80));
}

Result<void> check_interface(std::string_view name) {
  const std::string_view plain = name.substr(0, name.find('@'));
  const std::size_t colon = plain.find(':');
  const std::size_t slash = plain.find('/');
  const bool complete = colon != std::string_view::npos && slash != std::string_view::npos &&
                        0 < colon && colon + 1 < slash && slash + 1 < plain.size();
  const bool words = std::all_of(plain.begin(), plain.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-:/").find(c) != std::string_view::npos;
  });
  if (complete && words) return {};
  return fail(ErrorCode::invalid_argument,
              "\"{}\" is no interface; write it like acme:store/records or "
              "acme:store/records@1.0.0",
              one_line(name, 80));
}

bool is_kernel_folder(const std::filesystem::path& folder) {
  return std::any_of(kernel_folders.begin(), kernel_folders.end(), [&](std::string_view kernel) {
    const std::string& path = folder.native();
    return path == kernel || (path.starts_with(kernel) && path[kernel.size()] == '/');
  });
}

std::string default_guest_path(std::string_view written, bool absolute) {
  for (const std::string_view glob : {"/**", "/*"}) {
    if (written.ends_with(glob)) written.remove_suffix(glob.size());
  }
  if (!absolute && !written.starts_with('/') && !written.starts_with("./")) {
    return std::string(written);
  }
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(written, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return fmt::format("/{}", fmt::join(parts, "/"));
}

std::span<const std::string_view> limit_names() { return limits; }

Result<void> set_limit(LimitRules& rules, std::string_view name, std::string_view amount) {
  using std::chrono::nanoseconds;
  constexpr Bytes kibibyte{1024};
  constexpr Bytes tebibyte{std::uint64_t{1} << 40};
  constexpr std::string_view sizes = "1Ki to 1Ti";
  constexpr std::uint32_t most = 1'000'000;
  constexpr std::string_view counts = "1 to 1000000";
  if (name == "memory") {
    return put(rules.memory, parse_bytes(amount), Bytes{64 * 1024}, tebibyte, "64Ki to 1Ti");
  }
  if (name == "output") return put(rules.output, parse_bytes(amount), kibibyte, tebibyte, sizes);
  if (name == "written") return put(rules.written, parse_bytes(amount), Bytes{0}, tebibyte, sizes);
  if (name == "response")
    return put(rules.response, parse_bytes(amount), kibibyte, tebibyte, sizes);
  if (name == "fuel") {
    BELLJAR_TRY(const std::uint64_t fuel, parse_count(amount));
    return put(rules.fuel, Result<Fuel>(Fuel{fuel}), Fuel{1}, Fuel{std::uint64_t{1} << 62},
               "1 to 4e18");
  }
  if (name == "timeout") {
    return put(rules.timeout, parse_duration(amount), nanoseconds(std::chrono::milliseconds(1)),
               nanoseconds(std::chrono::hours(24)), "1ms to 24h");
  }
  if (name == "clock") {
    return put(rules.clock, parse_duration(amount), nanoseconds(1'000),
               nanoseconds(std::chrono::hours(24)), "1us to 24h");
  }
  if (name == "instances") return put(rules.instances, small_count(amount), 1U, most, counts);
  if (name == "handles") return put(rules.handles, small_count(amount), 0U, 65'536U, "0 to 65536");
  if (name == "files") return put(rules.files, small_count(amount), 0U, most, counts);
  if (name == "requests")
    return put(rules.requests, small_count(amount), 1U, 10'000U, "1 to 10000");
  return fail(ErrorCode::invalid_argument, "unknown limit \"{}\"; known are {}", one_line(name, 40),
              fmt::join(limits, ", "));
}

std::string_view name_of(Scheme scheme) { return scheme == Scheme::http ? "http" : "https"; }

std::string_view name_of(Transport transport) {
  return transport == Transport::tcp ? "tcp" : "udp";
}

std::uint16_t default_port(Scheme scheme) { return scheme == Scheme::http ? 80 : 443; }

std::string describe(const NetworkRule& rule) {
  std::string text;
  if (rule.schemes.size() == 1) {
    text = fmt::format("{}://", name_of(rule.schemes.front()));
  }
  text += rule.host.text();
  const bool usual = rule.schemes.size() == 1 && rule.port == default_port(rule.schemes.front());
  if (rule.port && !usual) text += fmt::format(":{}", *rule.port);
  if (!rule.methods.empty()) text += fmt::format(" {}", fmt::join(rule.methods, ","));
  for (const PathPattern& path : rule.paths) text += fmt::format(" {}", path.text());
  return text;
}

std::string describe(const SocketRule& rule) {
  return fmt::format("{}:{}:{}", name_of(rule.transport), rule.host.text(), rule.port);
}

std::string describe(const StorageRule& rule) {
  return fmt::format("{} at {} ({}{}{}{})", rule.host.native(), rule.guest,
                     rule.access.read ? "read" : "",
                     rule.access.read && rule.access.write ? ", " : "",
                     rule.access.write ? "write" : "", rule.hardlinks ? ", hard links" : "");
}

std::string describe(const SecretRule& rule) {
  std::string text = rule.name;
  if (rule.host) text += fmt::format(" for {}", rule.host->text());
  switch (rule.place) {
    case SecretPlace::header: text += fmt::format(" in the header {}", rule.detail); break;
    case SecretPlace::bearer: text += " as a bearer token"; break;
    case SecretPlace::basic: text += fmt::format(" as the password of {}", rule.detail); break;
    case SecretPlace::none: break;
  }
  if (rule.expose) text += ", given to the tool itself";
  return text;
}

}  // namespace belljar::policy
