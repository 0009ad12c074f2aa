#include "policy/grant.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

#include "policy/merge.h"
#include "policy/rules.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

constexpr std::array kinds{
    std::pair{GrantKind::storage, std::string_view{"storage"}},
    std::pair{GrantKind::network, std::string_view{"network"}},
    std::pair{GrantKind::environment, std::string_view{"environment"}},
    std::pair{GrantKind::secret, std::string_view{"secret"}},
    std::pair{GrantKind::limit, std::string_view{"limit"}},
    std::pair{GrantKind::capability, std::string_view{"capability"}},
};

Result<StorageRule> parse_storage(std::string_view value, const std::filesystem::path& folder) {
  StorageRule rule;
  rule.access.read = true;
  if (value.ends_with(":rw")) {
    rule.access.write = true;
    value.remove_suffix(3);
  } else if (value.ends_with(":ro")) {
    value.remove_suffix(3);
  }
  // The guest's path is absolute, so what follows the last ":/" is it.
  const std::size_t separator = value.rfind(":/");
  const std::string_view host = value.substr(0, separator);
  if (host.empty()) {
    return fail(ErrorCode::invalid_argument,
                "storage needs a folder: PATH, PATH:/guest/path or PATH:/guest/path:rw");
  }
  if (host.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "a path has no NUL in it");
  }
  rule.host = (folder / host).lexically_normal();
  if (rule.host.has_relative_path() && !rule.host.has_filename())
    rule.host = rule.host.parent_path();
  if (separator == std::string_view::npos) {
    rule.guest = default_guest_path(host, true);
  } else {
    BELLJAR_TRY(rule.guest, guest_path(value.substr(separator + 1)));
  }
  return rule;
}

/// Takes the ` cidr:RANGE` off the end of a value.
Result<std::vector<Cidr>> take_ranges(std::string_view& value) {
  constexpr std::string_view mark = " cidr:";
  std::vector<Cidr> ranges;
  while (true) {
    const std::size_t at = value.rfind(mark);
    if (at == std::string_view::npos) break;
    BELLJAR_TRY(const Cidr range, Cidr::parse(trim(value.substr(at + mark.size()))));
    ranges.insert(ranges.begin(), range);
    value = trim(value.substr(0, at));
  }
  return ranges;
}

Result<NetworkRule> parse_http(std::string_view value) {
  BELLJAR_TRY(auto ranges, take_ranges(value));
  std::vector<std::string> methods;
  if (const std::size_t blank = value.find(' '); blank != std::string_view::npos) {
    for (const std::string_view method : split(value.substr(0, blank), ',')) {
      BELLJAR_CHECK(check_method(method));
      methods.emplace_back(method);
    }
    value = trim(value.substr(blank + 1));
  }
  BELLJAR_TRY(NetworkRule rule, parse_host_rule(value, Defaults::https));
  rule.methods = std::move(methods);
  rule.ranges = std::move(ranges);
  return rule;
}

Result<SocketRule> parse_socket(std::string_view value) {
  BELLJAR_TRY(auto ranges, take_ranges(value));
  const Transport transport = value.starts_with("tcp:") ? Transport::tcp : Transport::udp;
  BELLJAR_TRY(SocketRule rule, parse_socket_rule(transport, value.substr(4)));
  rule.ranges = std::move(ranges);
  return rule;
}

Result<SecretRule> parse_secret(std::string_view value) {
  SecretRule rule;
  if (value.ends_with(":expose")) {
    rule.expose = true;
    value.remove_suffix(7);
  }
  const std::size_t at = value.find('@');
  rule.name = std::string(value.substr(0, at));
  BELLJAR_CHECK(check_secret_name(rule.name));
  if (at == std::string_view::npos) {
    if (!rule.expose) {
      return fail(ErrorCode::invalid_argument,
                  "\"{}\": say where the secret goes, as in {}@api.example:header=X-Api-Key", value,
                  rule.name);
    }
    return rule;
  }
  const std::string_view rest = value.substr(at + 1);
  const auto ends = [&](std::string_view name) -> std::size_t { return rest.find(name); };
  std::size_t end = rest.size();
  if (const auto header = ends(":header="); header != std::string_view::npos) {
    rule.place = SecretPlace::header;
    rule.detail = std::string(rest.substr(header + 8));
    BELLJAR_CHECK(check_secret_header(rule.detail));
    end = header;
  } else if (const auto basic = ends(":basic="); basic != std::string_view::npos) {
    rule.place = SecretPlace::basic;
    rule.detail = std::string(rest.substr(basic + 7));
    BELLJAR_CHECK(check_secret_user(rule.detail));
    end = basic;
  } else if (rest.ends_with(":bearer")) {
    rule.place = SecretPlace::bearer;
    end = rest.size() - 7;
  } else {
    return fail(ErrorCode::invalid_argument,
                "\"{}\": end it with :header=NAME, :bearer or :basic=USER", value);
  }
  BELLJAR_TRY(rule.host, HostPattern::parse(rest.substr(0, end)));
  return rule;
}

/// The rule that a value stands for, put into a document of its own.
Result<Document> read(GrantKind kind, std::string_view value, const std::filesystem::path& folder) {
  Document document;
  switch (kind) {
    case GrantKind::storage: {
      BELLJAR_TRY(document.storage.emplace_back(), parse_storage(value, folder));
      break;
    }
    case GrantKind::network:
      if (value.starts_with("tcp:") || value.starts_with("udp:")) {
        BELLJAR_TRY(auto rule, parse_socket(value));
        document.sockets.push_back(std::move(rule));
      } else if (value.starts_with("cidr:")) {
        BELLJAR_TRY(auto cidr, Cidr::parse(value.substr(5)));
        document.cidrs.push_back(cidr);
      } else {
        BELLJAR_TRY(auto rule, parse_http(value));
        document.network.push_back(std::move(rule));
      }
      break;
    case GrantKind::environment: {
      EnvironmentRule rule;
      const std::size_t equals = value.find('=');
      rule.key = std::string(value.substr(0, equals));
      BELLJAR_CHECK(check_variable(rule.key));
      if (equals != std::string_view::npos) rule.value = std::string(value.substr(equals + 1));
      document.environment.push_back(std::move(rule));
      break;
    }
    case GrantKind::secret: {
      BELLJAR_TRY(auto rule, parse_secret(value));
      document.secrets.push_back(std::move(rule));
      break;
    }
    case GrantKind::limit: {
      const std::size_t equals = value.find('=');
      if (equals == std::string_view::npos) {
        return fail(ErrorCode::invalid_argument, "\"{}\": write it like memory=128Mi",
                    one_line(value, 60));
      }
      BELLJAR_CHECK(
          in_context(set_limit(document.limits, value.substr(0, equals), value.substr(equals + 1)),
                     one_line(value, 60)));
      break;
    }
    case GrantKind::capability:
      BELLJAR_CHECK(check_interface(value));
      document.capabilities.push_back({std::string(value)});
      break;
  }
  return document;
}

/// Refuses what was hardly meant: a folder that never opens, and an end like `:data` or `:r`, which
/// would be taken for a part of a name.
Result<void> check_meant(const StorageRule& rule) {
  if (is_kernel_folder(rule.host)) {
    return fail(ErrorCode::invalid_argument,
                "storage: {} shows the kernel's inside; it is never opened for a tool",
                rule.host.native());
  }
  std::error_code error;
  const bool odd_folder = rule.host.filename().native().find(':') != std::string::npos &&
                          !std::filesystem::exists(rule.host, error);
  const bool odd_place = rule.guest.find(':') != std::string::npos &&
                         rule.host.native().find(':') == std::string::npos;
  if (odd_folder || odd_place) {
    return fail(ErrorCode::invalid_argument,
                "storage: write FOLDER, FOLDER:/place/in/the/guest, and :rw behind it where it may "
                "be written");
  }
  return {};
}

std::string with_ranges(std::string text, const std::vector<Cidr>& ranges) {
  for (const Cidr& range : ranges) text += fmt::format(" cidr:{}", range.text());
  return text;
}

std::string canonical_secret(const SecretRule& rule) {
  std::string text = rule.name;
  if (rule.host) text += fmt::format("@{}", rule.host->text());
  switch (rule.place) {
    case SecretPlace::header: text += fmt::format(":header={}", rule.detail); break;
    case SecretPlace::basic: text += fmt::format(":basic={}", rule.detail); break;
    case SecretPlace::bearer: text += ":bearer"; break;
    case SecretPlace::none: break;
  }
  return rule.expose ? text + ":expose" : text;
}

/// What holds, however it was written: names in the form that is compared, absolute paths.
std::string canonical(GrantKind kind, std::string_view value, const Document& document) {
  if (kind == GrantKind::storage) {
    const StorageRule& rule = document.storage.front();
    return fmt::format("{}:{}:{}", rule.host.native(), rule.guest, rule.access.write ? "rw" : "ro");
  }
  if (kind == GrantKind::secret) return canonical_secret(document.secrets.front());
  if (kind != GrantKind::network) return std::string(value);
  if (!document.cidrs.empty()) return fmt::format("cidr:{}", document.cidrs.front().text());
  if (!document.sockets.empty()) {
    const SocketRule& rule = document.sockets.front();
    return with_ranges(describe(rule), rule.ranges);
  }
  return network_value(document.network.front());
}

}  // namespace

std::string network_value(const NetworkRule& rule) {
  std::string text;
  if (!rule.methods.empty()) text = fmt::format("{} ", fmt::join(rule.methods, ","));
  const Scheme scheme = rule.schemes.front();
  const bool usual = rule.port == default_port(scheme);
  if (scheme != Scheme::https || !usual) text += fmt::format("{}://", name_of(scheme));
  text += rule.host.text();
  if (rule.port && !usual) text += fmt::format(":{}", *rule.port);
  for (const PathPattern& path : rule.paths) text += path.text();
  return with_ranges(std::move(text), rule.ranges);
}

std::string Grant::text() const { return fmt::format("{}={}", name_of(kind), value); }

std::string_view name_of(GrantKind kind) {
  for (const auto& [known, name] : kinds) {
    if (known == kind) return name;
  }
  return "unknown";
}

Result<GrantKind> parse_grant_kind(std::string_view name) {
  std::vector<std::string> candidates;
  for (const auto& [kind, known] : kinds) {
    if (known == name) return kind;
    candidates.emplace_back(known);
  }
  const auto meant = closest(name, candidates);
  return fail(ErrorCode::invalid_argument, "unknown kind of grant \"{}\"; {}", one_line(name, 40),
              meant ? fmt::format("did you mean {}?", *meant)
                    : "use storage, network, environment, secret, limit or capability");
}

Result<Grant> parse_grant(std::string_view text, const std::filesystem::path& folder) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return fail(ErrorCode::invalid_argument,
                "\"{}\" is not KIND=VALUE; write it like storage=./data or network=api.example",
                one_line(text, 80));
  }
  BELLJAR_TRY(const GrantKind kind, parse_grant_kind(text.substr(0, equals)));
  const std::string_view value = text.substr(equals + 1);
  BELLJAR_CHECK(check_shows_as_it_is(value));
  BELLJAR_TRY(const Document document,
              in_context(read(kind, value, folder), std::string(name_of(kind))));
  if (kind == GrantKind::storage) BELLJAR_CHECK(check_meant(document.storage.front()));
  Grant grant{kind, canonical(kind, value, document), {}};
  BELLJAR_CHECK(check_shows_as_it_is(grant.value));
  return grant;
}

Result<void> apply_grant(Document& document, const Grant& grant) {
  BELLJAR_TRY(Document added, read(grant.kind, grant.value, "/"));
  for (StorageRule& rule : added.storage) rule.identity = grant.identity;
  merge(document, added);
  const auto warn = [&](const HostPattern& host) {
    if (const auto note = name_note(host.text())) {
      document.warnings.push_back(fmt::format("{} is {}", host.text(), *note));
    }
  };
  for (const NetworkRule& rule : added.network) warn(rule.host);
  for (const SocketRule& rule : added.sockets) warn(rule.host);
  for (const SecretRule& rule : added.secrets) {
    if (rule.host) warn(*rule.host);
  }
  return {};
}

}  // namespace belljar::policy
