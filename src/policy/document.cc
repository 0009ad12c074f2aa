#include "policy/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "policy/rules.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

using Kind = YamlNode::Kind;

/// The two formats; they differ in what is strict and in what a bare host means.
enum class Version { wassette, belljar };

/// Reads one document. Every method refuses what it does not know, with its place.
class Reader {
 public:
  Reader(std::string_view file, const std::filesystem::path& folder, const PathExists& exists)
      : file_(file), folder_(folder), exists_(exists) {}

  Result<Document> read(const YamlNode& root) {
    BELLJAR_CHECK(expect_map(root, "a policy"));
    const YamlNode* version = find(root, "version");
    if (version == nullptr) {
      return at(root, "\"version\" is missing; write version: \"1.1\"");
    }
    if (version->text == "1.0") {
      version_ = Version::wassette;
    } else if (version->text == "1.1") {
      version_ = Version::belljar;
    } else {
      return at(*version,
                fmt::format("unknown version \"{}\"; this program reads \"1.0\" and \"1.1\"",
                            one_line(version->text, 20)));
    }
    bool has_permissions = false;
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
      const YamlNode& key = root.keys[i];
      const YamlNode& value = root.items[i];
      if (key.text == "version") continue;
      if (key.text == "description") {
        if (value.kind != Kind::scalar && value.kind != Kind::null) {
          return at(value, fmt::format("description is a text here, not {}", kind_name(value)));
        }
        document_.description = clean_text(value.text, 500).text;
      } else if (key.text == "permissions") {
        has_permissions = true;
        BELLJAR_CHECK(permissions(value));
      } else if (key.text != "$schema") {
        return unknown(key, {"version", "description", "permissions"});
      }
    }
    if (!has_permissions) return at(root, "\"permissions\" is missing; write permissions: {}");
    return std::move(document_);
  }

 private:
  std::unexpected<Error> at(const YamlNode& node, std::string_view message) const {
    return std::unexpected(error_at(file_, node.place, message));
  }

  std::unexpected<Error> unknown(const YamlNode& key,
                                 const std::vector<std::string>& candidates) const {
    const auto meant = closest(key.text, candidates);
    std::string list;
    for (const std::string& candidate : candidates) {
      list += (list.empty() ? "" : ", ") + candidate;
    }
    return at(key, meant ? fmt::format("unknown key \"{}\"; did you mean \"{}\"?",
                                       one_line(key.text, 40), *meant)
                         : fmt::format("unknown key \"{}\"; known here: {}", one_line(key.text, 40),
                                       list));
  }

  void warn(const YamlNode& node, std::string_view message) {
    document_.warnings.push_back(
        fmt::format("{}:{}:{}: {}", file_, node.place.line, node.place.column, message));
  }

  Result<void> expect_map(const YamlNode& node, std::string_view what) const {
    if (node.kind == Kind::map) return {};
    return at(node, fmt::format("{} is a map of keys here, not {}", what, kind_name(node)));
  }

  static std::string_view kind_name(const YamlNode& node) {
    switch (node.kind) {
      case Kind::null: return "nothing";
      case Kind::scalar: return "a single value";
      case Kind::sequence: return "a list";
      case Kind::map: return "a map";
    }
    return "something else";
  }

  static const YamlNode* find(const YamlNode& map, std::string_view key) {
    for (std::size_t i = 0; i < map.keys.size(); ++i) {
      if (map.keys[i].text == key) return &map.items[i];
    }
    return nullptr;
  }

  Result<std::string> text(const YamlNode& node, std::string_view what) const {
    if (node.kind != Kind::scalar || node.text.empty()) {
      return at(node, fmt::format("{} is a text here, not {}", what, kind_name(node)));
    }
    BELLJAR_CHECK(placed(node, check_shows_as_it_is(node.text)));
    return node.text;
  }

  Result<bool> boolean(const YamlNode& node, std::string_view what) const {
    if (node.kind == Kind::scalar && !node.quoted &&
        (node.text == "true" || node.text == "false")) {
      return node.text == "true";
    }
    return at(node, fmt::format("{} is true or false", what));
  }

  Result<std::vector<std::string>> texts(const YamlNode& node, std::string_view what) const {
    if (node.kind != Kind::sequence || node.items.empty()) {
      return at(node, fmt::format("{} is a list of texts, such as [a, b]", what));
    }
    std::vector<std::string> values;
    for (const YamlNode& item : node.items) {
      BELLJAR_TRY(values.emplace_back(), text(item, "an item"));
    }
    return values;
  }

  /// Gives an error from a rule's own parser the place of its value.
  template <typename T>
  Result<T> placed(const YamlNode& node, Result<T> result) const {
    if (!result) return at(node, result.error().message());
    return result;
  }

  template <typename Entry>
  Result<void> each(const YamlNode& node, std::string_view what, Entry entry) {
    if (node.kind == Kind::null) return {};
    if (node.kind != Kind::sequence) {
      return at(node, fmt::format("{} is a list, not {}", what, kind_name(node)));
    }
    for (const YamlNode& item : node.items) BELLJAR_CHECK(entry(item));
    return {};
  }

  /// A section with `allow` and perhaps `deny`.
  template <typename Allow, typename Deny>
  Result<void> section(const YamlNode& node, std::string_view what, Allow allow, Deny deny) {
    if (node.kind == Kind::null) return {};
    BELLJAR_CHECK(expect_map(node, what));
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const std::string& key = node.keys[i].text;
      if (key == "allow") {
        BELLJAR_CHECK(each(node.items[i], "allow", allow));
      } else if (key == "deny") {
        BELLJAR_CHECK(each(node.items[i], "deny", deny));
      } else {
        return unknown(node.keys[i], {"allow", "deny"});
      }
    }
    return {};
  }

  Result<void> permissions(const YamlNode& node) {
    if (node.kind == Kind::null && version_ == Version::wassette) return {};
    BELLJAR_CHECK(expect_map(node, "permissions"));
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      const YamlNode& value = node.items[i];
      if (key.text == "storage") {
        document_.has_storage = true;
        BELLJAR_CHECK(section(
            value, "storage", [&](const YamlNode& entry) { return storage(entry, false); },
            [&](const YamlNode& entry) { return storage(entry, true); }));
      } else if (key.text == "network") {
        document_.has_network = true;
        BELLJAR_CHECK(section(
            value, "network", [&](const YamlNode& entry) { return network(entry, false); },
            [&](const YamlNode& entry) { return network(entry, true); }));
      } else if (key.text == "environment") {
        document_.has_environment = true;
        BELLJAR_CHECK(section(
            value, "environment", [&](const YamlNode& entry) { return environment(entry); },
            [&](const YamlNode& entry) {
              return Result<void>(
                  at(entry, "environment has no deny: only what is allowed is there"));
            }));
      } else if (key.text == "resources") {
        BELLJAR_CHECK(resources(value));
      } else if (version_ == Version::belljar && key.text == "secrets") {
        document_.has_secrets = true;
        BELLJAR_CHECK(section(
            value, "secrets", [&](const YamlNode& entry) { return secret(entry); },
            [&](const YamlNode& entry) {
              return Result<void>(at(entry, "secrets has no deny: only what is allowed is there"));
            }));
      } else if (version_ == Version::belljar && key.text == "capabilities") {
        document_.has_capabilities = true;
        BELLJAR_CHECK(section(
            value, "capabilities", [&](const YamlNode& entry) { return capability(entry); },
            [&](const YamlNode& entry) {
              return Result<void>(at(entry, "capabilities has no deny"));
            }));
      } else if (version_ == Version::wassette && (key.text == "runtime" || key.text == "ipc")) {
        warn(key, fmt::format("\"{}\" cannot be enforced here and has no effect", key.text));
      } else if (version_ == Version::wassette) {
        return unknown(key, {"storage", "network", "environment", "runtime", "resources", "ipc"});
      } else {
        return unknown(
            key, {"storage", "network", "environment", "secrets", "capabilities", "resources"});
      }
    }
    return {};
  }

  Result<void> storage(const YamlNode& entry, bool deny) {
    BELLJAR_CHECK(expect_map(entry, "a storage entry"));
    StorageRule rule;
    const YamlNode* uri = nullptr;
    const YamlNode* access = nullptr;
    const YamlNode* guest = nullptr;
    for (std::size_t i = 0; i < entry.keys.size(); ++i) {
      const YamlNode& key = entry.keys[i];
      const YamlNode& value = entry.items[i];
      if (key.text == "uri") {
        uri = &value;
      } else if (key.text == "access") {
        access = &value;
      } else if (version_ == Version::belljar && !deny && key.text == "guest") {
        guest = &value;
      } else if (version_ == Version::belljar && !deny && key.text == "hardlinks") {
        BELLJAR_TRY(const std::string allowed, text(value, "hardlinks"));
        if (allowed != "allow" && allowed != "deny") return at(value, "hardlinks is allow or deny");
        rule.hardlinks = allowed == "allow";
      } else {
        if (version_ == Version::wassette || deny) return unknown(key, {"uri", "access"});
        return unknown(key, {"uri", "access", "guest", "hardlinks"});
      }
    }
    if (uri == nullptr) return at(entry, "\"uri\" is missing; write uri: \"fs://./folder\"");
    if (access == nullptr && (!deny || version_ == Version::wassette)) {
      return at(entry, "\"access\" is missing; write access: [read] or [read, write]");
    }
    rule.access = {true, true};
    if (access != nullptr) {
      BELLJAR_TRY(const auto words, texts(*access, "access"));
      rule.access = {};
      for (const std::string& word : words) {
        if (word == "read") {
          rule.access.read = true;
        } else if (word == "write") {
          rule.access.write = true;
        } else {
          return at(*access,
                    fmt::format("access is read or write, not \"{}\"", one_line(word, 20)));
        }
      }
    }
    BELLJAR_TRY(const std::string written, text(*uri, "uri"));
    if (!written.starts_with("fs://")) {
      // A denial that is not understood must not be one that is not there.
      if (version_ == Version::wassette && !deny) {
        warn(*uri, fmt::format("\"{}\" is not an fs:// address and has no effect",
                               one_line(written, 60)));
        return {};
      }
      return at(*uri, "a storage uri starts with fs://, such as fs://./folder or fs:///absolute");
    }
    if (version_ == Version::wassette && !deny && has_inner_star(written)) {
      warn(*uri, fmt::format("\"{}\": a star may only stand at the end, so this allows nothing",
                             one_line(written, 60)));
      return {};
    }
    BELLJAR_TRY(rule.host, placed(*uri, host_path(written.substr(5))));
    if (deny && exists_ && !exists_(rule.host)) {
      if (const auto meant = meant_otherwise(without_glob(std::string_view(written).substr(5)))) {
        return at(*uri,
                  fmt::format("{}; nothing is called that, so this would deny nothing", *meant));
      }
    }
    if (!deny && is_kernel_folder(rule.host)) {
      if (version_ == Version::belljar) {
        return at(*uri, fmt::format("{} shows the kernel's inside; it is never opened for a tool",
                                    rule.host.native()));
      }
      warn(*uri, fmt::format("{} shows the kernel's inside and is never opened for a tool",
                             rule.host.native()));
      return {};
    }
    if (guest != nullptr) {
      BELLJAR_TRY(const std::string path, text(*guest, "guest"));
      BELLJAR_TRY(rule.guest, placed(*guest, guest_path(path)));
    } else {
      rule.guest = default_guest_path(written.substr(5), version_ == Version::belljar);
    }
    auto& rules = deny ? document_.storage_denied : document_.storage;
    for (const StorageRule& other : rules) {
      if (!deny && other.guest == rule.guest && other.host != rule.host) {
        return at(entry,
                  fmt::format("two folders would be at \"{}\" for the guest; give one of them "
                              "another place with guest:",
                              rule.guest));
      }
    }
    rules.push_back(std::move(rule));
    return {};
  }

  /// What is wrong with the spelling of a path, and how it is to be written; nothing if it is
  /// plain.
  static std::optional<std::string> meant_otherwise(std::string_view path) {
    const std::string decoded = percent_decoded(path);
    if (decoded != path) {
      return fmt::format("names are written as they are, without percent signs: \"fs://{}\"",
                         one_line(decoded, 200));
    }
    if (path.find_first_of("~$") != std::string_view::npos) {
      return "~ and $ stand for themselves; write the whole path, as in \"fs:///srv/private\"";
    }
    if (const auto at = path.find_first_of("?*[]{}\\"); at != std::string_view::npos) {
      const std::string_view above = path.substr(0, path.rfind('/', at));
      return fmt::format(
          "{} stands for itself; name each folder or file, or the folder around them: \"fs://{}\"",
          path[at], one_line(above.size() < at ? above : ".", 200));
    }
    std::string trimmed;
    for (const std::string_view part : split(path, '/')) {
      if (part.data() != path.data()) trimmed += '/';
      trimmed += trim(part);
    }
    if (trimmed != path) {
      return fmt::format("a name in it begins or ends with a blank; without: \"fs://{}\"",
                         one_line(trimmed, 200));
    }
    return std::nullopt;
  }

  static std::string percent_decoded(std::string_view path) {
    std::string text;
    for (std::size_t i = 0; i < path.size(); ++i) {
      unsigned code = 0;
      const bool escape =
          path[i] == '%' && i + 2 < path.size() &&
          std::from_chars(&path[i + 1], &path[i + 1] + 2, code, 16).ptr == &path[i + 1] + 2;
      text += escape ? static_cast<char>(code) : path[i];
      if (escape) i += 2;
    }
    return text;
  }

  static std::string_view without_glob(std::string_view path) {
    for (const std::string_view glob : {"/**", "/*"}) {
      if (path.ends_with(glob)) path.remove_suffix(glob.size());
    }
    return path;
  }
  static bool has_inner_star(std::string_view path) {
    return without_glob(path).find('*') != std::string_view::npos;
  }

  /// `X/**` and `X/*` mean the folder X, which is what Wassette's documents say.
  Result<std::filesystem::path> host_path(std::string_view path) const {
    if (path.empty()) {
      return fail(ErrorCode::invalid_policy,
                  "no folder is named; write fs://. for the folder of this file");
    }
    path = without_glob(path);
    if (path.find('*') != std::string_view::npos) {
      return fail(ErrorCode::invalid_policy,
                  "a star may only stand at the end, as in fs://folder/**; it means all below");
    }
    if (path.empty()) path = "/";
    return (folder_ / path).lexically_normal();
  }

  Result<void> network(const YamlNode& entry, bool deny) {
    BELLJAR_CHECK(expect_map(entry, "a network entry"));
    const YamlNode* host = find(entry, "host");
    const YamlNode* cidr = find(entry, "cidr");
    const YamlNode* tcp = version_ == Version::belljar ? find(entry, "tcp") : nullptr;
    const YamlNode* udp = version_ == Version::belljar ? find(entry, "udp") : nullptr;
    const YamlNode* defaults = version_ == Version::wassette ? find(entry, "defaults") : nullptr;
    const int named = (host != nullptr) + (tcp != nullptr) + (udp != nullptr);
    const int kinds = named + (cidr != nullptr) + (defaults != nullptr);
    // A range beside a host holds for that host.
    const bool bound = version_ == Version::belljar && !deny && named == 1 && cidr != nullptr;
    if (kinds != 1 && !bound) {
      return at(entry, version_ != Version::belljar
                           ? "a network entry has one of host, cidr or defaults"
                       : deny ? "a network entry that denies has one of host, tcp, udp or cidr"
                              : "a network entry has one of host, tcp, udp or cidr, or a host and "
                                "the cidr of its addresses");
    }
    std::vector<Cidr> ranges;
    if (cidr != nullptr) {
      BELLJAR_TRY(ranges, ranges_of(*cidr, bound));
    }
    for (const YamlNode& key : entry.keys) {
      const bool refines = version_ == Version::belljar && host != nullptr &&
                           (key.text == "methods" || key.text == "paths");
      const bool names = key.text == "host" || key.text == "cidr" || key.text == "tcp" ||
                         key.text == "udp" || key.text == "defaults";
      if (!refines && !names) {
        if (version_ == Version::wassette) return unknown(key, {"host", "cidr", "defaults"});
        if (host == nullptr) return unknown(key, {"host", "tcp", "udp", "cidr"});
        return unknown(key, {"host", "methods", "paths", "cidr"});
      }
    }
    if (defaults != nullptr) {
      warn(*defaults,
           "\"defaults\" names no host and has no effect; name the hosts that are needed");
      return {};
    }
    if (cidr != nullptr && named == 0) {
      const Cidr& parsed = ranges.front();
      if (deny && version_ == Version::wassette && parsed.is_everything()) {
        warn(*cidr,
             "denying every address means \"nothing but what is allowed\", which is so anyway");
        return {};
      }
      (deny ? document_.cidrs_denied : document_.cidrs).push_back(parsed);
      return {};
    }
    if (host == nullptr) {
      const YamlNode& node = tcp != nullptr ? *tcp : *udp;
      BELLJAR_TRY(const std::string target, text(node, "a socket"));
      const Transport transport = tcp != nullptr ? Transport::tcp : Transport::udp;
      BELLJAR_TRY(auto rule, placed(node, parse_socket_rule(transport, target)));
      rule.ranges = std::move(ranges);
      warn_of_name(node, rule.host);
      (deny ? document_.sockets_denied : document_.sockets).push_back(std::move(rule));
      return {};
    }
    return host_rule(entry, *host, deny, std::move(ranges));
  }

  /// One range, or a list of them where they are those of a host.
  Result<std::vector<Cidr>> ranges_of(const YamlNode& node, bool of_host) const {
    std::vector<std::string> written;
    if (of_host && node.kind == Kind::sequence) {
      BELLJAR_TRY(written, texts(node, "cidr"));
    } else {
      BELLJAR_TRY(written.emplace_back(), text(node, "cidr"));
    }
    std::vector<Cidr> ranges;
    for (const std::string& range : written) {
      BELLJAR_TRY(ranges.emplace_back(), placed(node, Cidr::parse(range)));
    }
    return ranges;
  }

  /// Who reads the file sees the letters; what holds is the name that they stand for.
  void warn_of_name(const YamlNode& node, const HostPattern& host) {
    if (const auto note = name_note(host.text())) {
      warn(node, fmt::format("{} is {}", host.text(), *note));
    }
  }

  Result<void> host_rule(const YamlNode& entry, const YamlNode& host, bool deny,
                         std::vector<Cidr> ranges) {
    BELLJAR_TRY(const std::string written, text(host, "host"));
    const bool wassette = version_ == Version::wassette;
    if (wassette && written == "*") {
      if (deny) {
        warn(host, "denying every host means \"nothing but what is allowed\", which is so anyway");
      } else {
        warn(host, "\"*\" names no host and has no effect; name the hosts that are needed");
      }
      return {};
    }
    // A deny without a scheme or port covers them all.
    const Defaults defaults = wassette || deny ? Defaults::everything : Defaults::https;
    BELLJAR_TRY(NetworkRule rule, placed(host, parse_host_rule(written, defaults)));
    rule.ranges = std::move(ranges);
    warn_of_name(host, rule.host);
    if (const YamlNode* methods = find(entry, "methods")) {
      BELLJAR_TRY(rule.methods, texts(*methods, "methods"));
      for (const std::string& method : rule.methods) {
        BELLJAR_CHECK(placed(*methods, check_method(method)));
      }
    }
    if (const YamlNode* paths = find(entry, "paths")) {
      BELLJAR_TRY(const auto patterns, texts(*paths, "paths"));
      for (const std::string& pattern : patterns) {
        BELLJAR_TRY(rule.paths.emplace_back(), placed(*paths, PathPattern::parse(pattern)));
      }
    }
    if (wassette && !deny) {
      // Wassette lets a file name this machine without a range; such files run unchanged.
      if (const auto exact = rule.host.exact()) {
        if (exact->address && special_purpose(*exact->address)) {
          rule.ranges.push_back(Cidr::of(*exact->address));
        } else if (exact->name == "localhost") {
          for (const std::string_view loopback : {"127.0.0.0/8", "::1/128"}) {
            BELLJAR_TRY(rule.ranges.emplace_back(), Cidr::parse(loopback));
          }
        }
      }
    }
    if (const auto exact = rule.host.exact();
        deny && exact && exact->address && closes_all_of_it(rule)) {
      // Whatever name leads to it.
      document_.cidrs_denied.push_back(Cidr::of(*exact->address));
    }
    (deny ? document_.network_denied : document_.network).push_back(std::move(rule));
    return {};
  }

  static bool closes_all_of_it(const NetworkRule& rule) {
    return !rule.port && rule.methods.empty() && rule.paths.empty() && rule.schemes.size() == 2;
  }

  Result<void> environment(const YamlNode& entry) {
    BELLJAR_CHECK(expect_map(entry, "an environment entry"));
    EnvironmentRule rule;
    const YamlNode* key_node = nullptr;
    for (std::size_t i = 0; i < entry.keys.size(); ++i) {
      if (entry.keys[i].text == "key") {
        key_node = &entry.items[i];
      } else if (entry.keys[i].text == "value") {
        BELLJAR_TRY(rule.value, text(entry.items[i], "value"));
      } else {
        return unknown(entry.keys[i], {"key", "value"});
      }
    }
    if (key_node == nullptr) return at(entry, "\"key\" is missing; write {key: NAME}");
    BELLJAR_TRY(rule.key, text(*key_node, "key"));
    BELLJAR_CHECK(placed(*key_node, check_variable(rule.key)));
    document_.environment.push_back(std::move(rule));
    return {};
  }

  Result<void> secret(const YamlNode& entry) {
    BELLJAR_CHECK(expect_map(entry, "a secrets entry"));
    SecretRule rule;
    int places = 0;
    for (std::size_t i = 0; i < entry.keys.size(); ++i) {
      const std::string& key = entry.keys[i].text;
      const YamlNode& value = entry.items[i];
      if (key == "name") {
        BELLJAR_TRY(rule.name, text(value, "name"));
        BELLJAR_CHECK(placed(value, check_secret_name(rule.name)));
      } else if (key == "host") {
        BELLJAR_TRY(const std::string host, text(value, "host"));
        BELLJAR_TRY(rule.host, placed(value, HostPattern::parse(host)));
        warn_of_name(value, *rule.host);
      } else if (key == "header") {
        ++places;
        rule.place = SecretPlace::header;
        BELLJAR_TRY(rule.detail, text(value, "header"));
        BELLJAR_CHECK(placed(value, check_secret_header(rule.detail)));
      } else if (key == "bearer") {
        BELLJAR_TRY(const bool bearer, boolean(value, "bearer"));
        if (!bearer) return at(value, "leave bearer out where it is not wanted");
        ++places;
        rule.place = SecretPlace::bearer;
      } else if (key == "basic") {
        ++places;
        rule.place = SecretPlace::basic;
        BELLJAR_TRY(rule.detail, text(value, "basic"));
        BELLJAR_CHECK(placed(value, check_secret_user(rule.detail)));
      } else if (key == "query") {
        return at(entry.keys[i],
                  "a secret is never put into a URL, where logs would keep it; use header, bearer "
                  "or basic");
      } else if (key == "expose") {
        BELLJAR_TRY(rule.expose, boolean(value, "expose"));
      } else {
        return unknown(entry.keys[i], {"name", "host", "header", "bearer", "basic", "expose"});
      }
    }
    if (rule.name.empty()) return at(entry, "\"name\" is missing");
    if (places > 1) return at(entry, "a secret goes to one place: header, bearer or basic");
    if (places == 1 && !rule.host)
      return at(entry, "\"host\" is missing: a secret is bound to a host");
    if (places == 0 && !rule.expose) {
      return at(entry,
                "nothing says where the secret goes: header, bearer, basic, or expose: true");
    }
    document_.secrets.push_back(std::move(rule));
    return {};
  }

  Result<void> capability(const YamlNode& entry) {
    BELLJAR_CHECK(expect_map(entry, "a capabilities entry"));
    CapabilityRule rule;
    for (std::size_t i = 0; i < entry.keys.size(); ++i) {
      if (entry.keys[i].text != "interface") return unknown(entry.keys[i], {"interface"});
      BELLJAR_TRY(rule.interface, text(entry.items[i], "interface"));
      BELLJAR_CHECK(placed(entry.items[i], check_interface(rule.interface)));
    }
    if (rule.interface.empty()) return at(entry, "\"interface\" is missing");
    document_.capabilities.push_back(std::move(rule));
    return {};
  }

  Result<void> resources(const YamlNode& node) {
    if (node.kind == Kind::null) return {};
    BELLJAR_CHECK(expect_map(node, "resources"));
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      const YamlNode& value = node.items[i];
      if (version_ == Version::wassette) {
        BELLJAR_CHECK(wassette_resource(key, value));
        continue;
      }
      BELLJAR_TRY(const std::string amount, text(value, key.text));
      const auto known = limit_names();
      if (std::find(known.begin(), known.end(), key.text) == known.end()) {
        const std::vector<std::string> candidates(known.begin(), known.end());
        const auto meant = closest(key.text, candidates);
        return at(key, fmt::format("unknown limit \"{}\"; {}", one_line(key.text, 40),
                                   meant ? fmt::format("did you mean \"{}\"?", *meant)
                                         : "known are memory, fuel, timeout, instances, output"));
      }
      BELLJAR_CHECK(placed(value, set_limit(document_.limits, key.text, amount)));
    }
    return {};
  }

  /// `limits: {cpu, memory}` and the older `cpu`, `memory` (in MiB) and `io`.
  Result<void> wassette_resource(const YamlNode& key, const YamlNode& value) {
    if (key.text == "limits") {
      if (value.kind == Kind::null) return {};
      BELLJAR_CHECK(expect_map(value, "limits"));
      for (std::size_t i = 0; i < value.keys.size(); ++i) {
        const YamlNode& name = value.keys[i];
        if (name.text == "memory") {
          BELLJAR_CHECK(wassette_memory(value.items[i]));
        } else if (name.text == "cpu") {
          warn(name,
               "\"cpu\" cannot be enforced here and has no effect; use version 1.1's timeout or "
               "fuel");
        } else {
          return unknown(name, {"cpu", "memory"});
        }
      }
      return {};
    }
    if (key.text == "memory") return wassette_memory(value);
    if (key.text == "cpu" || key.text == "io") {
      warn(key, fmt::format("\"{}\" cannot be enforced here and has no effect", key.text));
      return {};
    }
    return unknown(key, {"limits", "cpu", "memory", "io"});
  }

  Result<void> wassette_memory(const YamlNode& value) {
    BELLJAR_TRY(const std::string amount, text(value, "memory"));
    BELLJAR_TRY(Bytes bytes, placed(value, parse_bytes(amount)));
    // A number without quotes or a unit counts MiB in this format.
    const bool bare = !value.quoted && std::all_of(amount.begin(), amount.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
    constexpr std::uint64_t mebibyte = std::uint64_t{1024} * 1024;
    if (bare && bytes.value > std::numeric_limits<std::uint64_t>::max() / mebibyte) {
      return at(value, "out of range; it has to be from 64Ki to 1Ti");
    }
    if (bare) bytes.value *= mebibyte;
    return placed(value, set_limit(document_.limits, "memory", fmt::format("{}", bytes.value)));
  }

  std::string_view file_;
  const std::filesystem::path& folder_;
  const PathExists& exists_;
  Version version_ = Version::belljar;
  Document document_;
};

}  // namespace

Result<Document> parse_policy(std::string_view text, std::string_view file,
                              const std::filesystem::path& folder, const PathExists& exists) {
  BELLJAR_TRY(const YamlNode root, read_yaml(text, file));
  return Reader(file, folder, exists).read(root);
}

Result<Document> parse_manifest(std::string_view text, std::string_view component) {
  // What lies in the guest nobody knows yet.
  const auto exists = [](const std::filesystem::path&) { return false; };
  return parse_policy(text, fmt::format("{} (manifest)", component), "/", exists);
}

}  // namespace belljar::policy
