// The rules in their short text forms, which policy files, grants and refusals share.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "belljar/error.h"
#include "policy/document.h"

namespace belljar::policy {

/// What a host without a scheme or port means.
enum class Defaults { https, everything };

/// `api.example`, `*.example:8443`, `http://localhost:8080`, `https://api.example/v1/*`.
[[nodiscard]] Result<NetworkRule> parse_host_rule(std::string_view text, Defaults defaults);
/// `db.example:5432`
[[nodiscard]] Result<SocketRule> parse_socket_rule(Transport transport, std::string_view text);

[[nodiscard]] Result<void> check_method(std::string_view method);
[[nodiscard]] Result<void> check_variable(std::string_view key);
[[nodiscard]] Result<void> check_secret_name(std::string_view name);
[[nodiscard]] Result<void> check_secret_header(std::string_view header);
/// The user of basic authentication (RFC 7617, section 2: no colon, no control characters).
[[nodiscard]] Result<void> check_secret_user(std::string_view user);

/// Whether a text has the characters of an HTTP token (RFC 9110, 5.6.2), and is not empty.
[[nodiscard]] bool is_token(std::string_view text);
/// A path in the guest: absolute, without `.` and `..`, without a slash at the end.
[[nodiscard]] Result<std::string> guest_path(std::string_view path);
/// Refuses text that a terminal would show as something else than it is: what a person reads is
/// what they grant.
[[nodiscard]] Result<void> check_shows_as_it_is(std::string_view text);
/// The name of an interface: `namespace:package/interface`, with `@version` or without.
[[nodiscard]] Result<void> check_interface(std::string_view name);
/// Whether a folder of the host shows the kernel's inside, which no tool is ever given.
[[nodiscard]] bool is_kernel_folder(const std::filesystem::path& folder);
/// Where a folder is found where nobody says: at the path as it was written. Absolute unless
/// `absolute` is false, which version 1.0 wants.
[[nodiscard]] std::string default_guest_path(std::string_view written, bool absolute);

/// The keys of `resources`.
[[nodiscard]] std::span<const std::string_view> limit_names();
/// Sets the limit of this name from its text.
[[nodiscard]] Result<void> set_limit(LimitRules& limits, std::string_view name,
                                     std::string_view amount);

[[nodiscard]] std::string_view name_of(Scheme scheme);
[[nodiscard]] std::string_view name_of(Transport transport);
[[nodiscard]] std::uint16_t default_port(Scheme scheme);
/// `https://api.example:8443 GET,HEAD /v1/*`, for people.
[[nodiscard]] std::string describe(const NetworkRule& rule);
[[nodiscard]] std::string describe(const SocketRule& rule);
[[nodiscard]] std::string describe(const StorageRule& rule);
[[nodiscard]] std::string describe(const SecretRule& rule);

}  // namespace belljar::policy
