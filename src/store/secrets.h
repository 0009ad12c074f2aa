// Secrets, encrypted at rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "store/state.h"

namespace belljar::store {

/// A value that is wiped when it is destroyed, and that no log function takes.
class SecretValue {
 public:
  explicit SecretValue(std::string value) : value_(std::move(value)) {}
  SecretValue(SecretValue&& other) noexcept : value_(std::exchange(other.value_, {})) {}
  SecretValue& operator=(SecretValue&&) = delete;
  ~SecretValue();
  /// The value itself, for the one place that puts it to use.
  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }

 private:
  std::string value_;
};

/// Where the key that seals secrets is kept.
enum class SecretKeyPlace {
  /// `secret.key` in the state directory, mode 0600.
  file,
  /// The kernel's keyring of this user, which forgets at a restart of the machine.
  keyring,
};

/// Reads and writes secrets. Values are sealed with XChaCha20-Poly1305 (libsodium), bound to
/// their names. Any thread.
class Secrets {
 public:
  Secrets(State& state, SecretKeyPlace place) : state_(state), place_(place) {}

  /// Bytes. Shorter values would be found by chance in what comes back.
  static constexpr std::size_t minimum_length = 8;
  /// Bytes. Shorter values that people made up can be guessed by whoever may ask often.
  static constexpr std::size_t good_length = 16;

  /// Whether a value can go into a header and be told from other text when it comes back: no line
  /// break, no NUL, and at least `minimum_length` bytes.
  [[nodiscard]] static Result<void> check(const SecretValue& value);
  [[nodiscard]] Result<void> set(std::string_view name, const SecretValue& value);
  /// What was set before it was checked as it is now is an error.
  [[nodiscard]] Result<std::optional<SecretValue>> get(std::string_view name) const;
  [[nodiscard]] Result<bool> remove(std::string_view name);

  struct Entry {
    std::string name;
    WallTime set_at;
  };
  [[nodiscard]] Result<std::vector<Entry>> list() const;

 private:
  [[nodiscard]] Result<MacKey> key(MissingKey missing) const;

  State& state_;
  SecretKeyPlace place_;
};

}  // namespace belljar::store
