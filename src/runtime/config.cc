#include "runtime/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <functional>

#include "support/result.h"
#include "support/text.h"
#include "support/trusted_file.h"

namespace belljar::runtime {
namespace {

constexpr Bytes file_limit{256 * 1024};
constexpr Bytes least_memory{64 << 20};
constexpr Bytes least_frame{1024};

/// Stops the reading with a place.
struct Wrong {
  toml::source_region where;
  std::string message;
};

using Handler = std::function<void(const toml::node&)>;

/// Hands every key of a table to its handler.
void read_table(const toml::node& node, std::string_view name,
                const std::map<std::string, Handler>& handlers) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) throw Wrong{node.source(), fmt::format("[{}] is a table", name)};
  for (const auto& [key, value] : *table) {
    const auto handler = handlers.find(std::string(key.str()));
    if (handler == handlers.end()) {
      std::vector<std::string> known;
      for (const auto& [candidate, unused] : handlers) known.push_back(candidate);
      const auto meant = closest(key.str(), known);
      throw Wrong{key.source(),
                  fmt::format("unknown key \"{}\"{}", one_line(key.str(), 60),
                              meant ? fmt::format("; did you mean \"{}\"?", *meant) : "")};
    }
    handler->second(value);
  }
}

std::string text(const toml::node& node) {
  const auto value = node.value<std::string>();
  if (!value || !node.is_string()) throw Wrong{node.source(), "a text in quotes is wanted here"};
  return *value;
}

template <typename T>
T checked(const toml::node& node, Result<T> value) {
  if (!value) throw Wrong{node.source(), value.error().message()};
  return *std::move(value);
}

std::uint32_t count(const toml::node& node, std::int64_t least, std::int64_t most) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < least || *value > most) {
    throw Wrong{node.source(),
                fmt::format("a whole number from {} to {} is wanted here", least, most)};
  }
  return static_cast<std::uint32_t>(*value);
}

std::vector<std::string> texts(const toml::node& node) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) throw Wrong{node.source(), "a list of texts is wanted here"};
  std::vector<std::string> values;
  for (const toml::node& item : *array) values.push_back(text(item));
  return values;
}

bool boolean(const toml::node& node) {
  const auto value = node.value_exact<bool>();
  if (!value) throw Wrong{node.source(), "true or false is wanted here"};
  return *value;
}

/// No wait is without an end, and none ends before it begins.
std::chrono::milliseconds duration(const toml::node& node,
                                   std::chrono::milliseconds least = std::chrono::milliseconds(1)) {
  const auto value = checked(node, parse_duration(text(node)));
  if (value < least || value > std::chrono::hours(24)) {
    throw Wrong{node.source(),
                fmt::format("a time from {} to 24h is wanted here", policy_duration(least))};
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(value);
}

Bytes size(const toml::node& node, Bytes least) {
  const Bytes value = checked(node, parse_bytes(text(node)));
  if (value < least) {
    throw Wrong{node.source(), fmt::format("at least {} is wanted here", policy_bytes(least))};
  }
  return value;
}

/// Who writes this file decides whose answers are believed.
std::filesystem::path certificates(const toml::node& node, const std::filesystem::path& path) {
  const auto file = open_trusted_file(path, "file of certificates");
  // One that is not there is told when it is needed.
  if (!file && file.error().code() != ErrorCode::not_found) {
    throw Wrong{node.source(), file.error().message()};
  }
  return path;
}

Profile read_profile(const toml::node& node, std::string_view name) {
  Profile profile;
  read_table(node, name,
             {{"tools", [&](const toml::node& value) { profile.tools = texts(value); }},
              {"bare_names", [&](const toml::node& value) { profile.bare_names = boolean(value); }},
              {"policies", [&](const toml::node& value) {
                 const toml::table* const table = value.as_table();
                 if (table == nullptr)
                   throw Wrong{value.source(), "a table of files is wanted here"};
                 for (const auto& [component, file] : *table) {
                   profile.policies[std::string(component.str())] = text(file);
                 }
               }}});
  return profile;
}

Config read(const toml::table& root, const std::filesystem::path& folder) {
  Config config;
  const auto relative = [&](const toml::node& node) {
    return (folder / text(node)).lexically_normal();
  };
  read_table(
      root, "belljar.toml",
      {{"limits",
        [&](const toml::node& node) {
          read_table(
              node, "limits",
              {{"sandboxes", [&](const toml::node& v) { config.sandboxes = count(v, 1, 100'000); }},
               {"workers", [&](const toml::node& v) { config.workers = count(v, 1, 1'024); }},
               {"memory", [&](const toml::node& v) { config.memory = size(v, least_memory); }},
               {"frame", [&](const toml::node& v) { config.frame = size(v, least_frame); }}});
        }},
       {"network",
        [&](const toml::node& node) {
          read_table(
              node, "network",
              {{"name_servers",
                [&](const toml::node& v) { config.egress.name_servers = texts(v); }},
               {"certificates",
                [&](const toml::node& v) {
                  config.egress.certificates = certificates(v, relative(v));
                }},
               {"concurrency",
                [&](const toml::node& v) { config.egress.concurrency = count(v, 1, 10'000); }},
               {"name_timeout",
                [&](const toml::node& v) { config.egress.name_timeout = duration(v); }},
               {"connect_timeout",
                [&](const toml::node& v) { config.egress.connect_timeout = duration(v); }},
               {"head_timeout",
                [&](const toml::node& v) { config.egress.head_timeout = duration(v); }},
               {"idle_timeout",
                [&](const toml::node& v) { config.egress.idle_timeout = duration(v); }}});
        }},
       {"compiler",
        [&](const toml::node& node) {
          read_table(node, "compiler",
                     {{"time",
                       [&](const toml::node& v) {
                         config.compiler.time = std::chrono::duration_cast<std::chrono::seconds>(
                             duration(v, std::chrono::seconds(1)));
                       }},
                      {"memory", [&](const toml::node& v) {
                         config.compiler.memory = size(v, least_memory);
                       }}});
        }},
       {"secrets",
        [&](const toml::node& node) {
          read_table(node, "secrets",
                     {{"key", [&](const toml::node& v) {
                         const std::string place = text(v);
                         if (place != "file" && place != "keyring") {
                           throw Wrong{v.source(), "key is \"file\" or \"keyring\""};
                         }
                         config.secret_key = place == "file" ? store::SecretKeyPlace::file
                                                             : store::SecretKeyPlace::keyring;
                       }}});
        }},
       {"policy",
        [&](const toml::node& node) {
          read_table(node, "policy",
                     {{"ceiling", [&](const toml::node& v) { config.ceiling = relative(v); }}});
        }},
       {"profiles", [&](const toml::node& node) {
          const toml::table* const table = node.as_table();
          if (table == nullptr) throw Wrong{node.source(), "[profiles.NAME] is a table"};
          for (const auto& [name, profile] : *table) {
            config.profiles[std::string(name.str())] = read_profile(profile, name.str());
          }
        }}});
  return config;
}

}  // namespace

Result<Config> read_config(const std::filesystem::path& path) {
  // It names the ceiling and the certificates that are trusted, so it has to be as much a person's
  // word as a policy is.
  const auto contents = read_trusted_file(path, "configuration", file_limit);
  if (!contents) {
    if (contents.error().code() == ErrorCode::not_found) return Config{};
    return std::unexpected(contents.error());
  }
  const auto wrong = [&](const toml::source_region& where, std::string_view message) {
    return fail(ErrorCode::invalid_policy, "{}:{}:{}: {}", path.native(), where.begin.line,
                where.begin.column, message);
  };
  try {
    const toml::table root = toml::parse(*contents, path.native());
    return read(root, path.parent_path());
  } catch (const toml::parse_error& error) {
    return wrong(error.source(), error.description());
  } catch (const Wrong& error) {
    return wrong(error.where, error.message);
  }
}

}  // namespace belljar::runtime
