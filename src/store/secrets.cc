#include "store/secrets.h"

#include <linux/keyctl.h>
#include <sodium.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "support/file.h"
#include "support/result.h"

namespace belljar::store {
namespace {

constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr const char* keyring_name = "belljar:secrets";

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The kernel's interface is used directly: there is one key and two calls.
Result<MacKey> keyring_key(bool make) {
  const auto found =
      ::syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", keyring_name, 0);
  MacKey key{};
  if (found >= 0) {
    const auto size = ::syscall(SYS_keyctl, KEYCTL_READ, found, key.data(), key.size());
    if (size == static_cast<long>(key.size())) return key;
    return fail(ErrorCode::storage, "the key in the kernel's keyring cannot be read: {}",
                errno_text(errno));
  }
  if (!make) {
    return fail(ErrorCode::storage,
                "the key of the secrets is not in the kernel's keyring (any more): it does not "
                "outlive a restart of the machine. Set the secrets again: belljar secret set NAME");
  }
  key = random_bytes<32>();
  if (::syscall(SYS_add_key, "user", keyring_name, key.data(), key.size(), KEY_SPEC_USER_KEYRING) <
      0) {
    return fail(ErrorCode::storage, "the kernel's keyring takes no key: {}", errno_text(errno));
  }
  return key;
}

}  // namespace

SecretValue::~SecretValue() { sodium_memzero(value_.data(), value_.size()); }

Result<MacKey> Secrets::key(MissingKey missing) const {
  prepare_crypto();
  if (place_ == SecretKeyPlace::keyring) return keyring_key(missing == MissingKey::make);
  return open_key_file(state_.paths().data / "secret.key", missing);
}

Result<void> Secrets::check(const SecretValue& value) {
  const std::string& text = value.reveal();
  if (text.size() < minimum_length) {
    return fail(
        ErrorCode::invalid_argument,
        "a secret of fewer than {} bytes cannot be told from other text when it comes back; "
        "use a longer one",
        minimum_length);
  }
  // In a header it would be the beginning of another (RFC 9112, 2.2).
  const std::size_t broken = text.find_first_of(std::string_view("\r\n\0", 3));
  if (broken != std::string::npos) {
    return fail(ErrorCode::invalid_argument,
                "a secret is one line of text, and this one has a {} behind {} bytes",
                text[broken] == '\0' ? "NUL" : "line break", broken);
  }
  return {};
}

Result<void> Secrets::set(std::string_view name, const SecretValue& value) {
  BELLJAR_CHECK(check(value));
  BELLJAR_TRY(const MacKey key, this->key(MissingKey::make));
  const auto nonce = random_bytes<nonce_size>();
  std::string sealed(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  sealed.resize(nonce_size + value.reveal().size() + tag_size);
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      bytes(sealed) + nonce_size, nullptr, bytes(std::string_view(value.reveal())),
      value.reveal().size(), bytes(name), name.size(), nullptr, nonce.data(), key.data());
  {
    const auto lock = state_.database().lock();
    BELLJAR_TRY(Statement insert,
                state_.database().prepare("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)"));
    insert.bind(name).bind_blob(sealed);
    BELLJAR_CHECK(insert.bind(state_.clock().now().time_since_epoch().count()).run());
  }
  state_.epoch().advance();
  return {};
}

Result<std::optional<SecretValue>> Secrets::get(std::string_view name) const {
  std::string sealed;
  {
    const auto lock = state_.database().lock();
    BELLJAR_TRY(Statement row,
                state_.database().prepare("SELECT sealed FROM secrets WHERE name = ?"));
    BELLJAR_TRY(const bool found, row.bind(name).step());
    if (!found) return std::nullopt;
    sealed = row.text(0);
  }
  BELLJAR_TRY(const MacKey key, this->key(MissingKey::fail));
  const auto broken = [&] {
    return fail(ErrorCode::storage,
                "the secret {} cannot be opened with the key that is here; set it again: belljar "
                "secret set {}",
                name, name);
  };
  if (sealed.size() < nonce_size + tag_size) return broken();
  std::string value(sealed.size() - nonce_size - tag_size, '\0');
  const std::string_view boxed = std::string_view(sealed).substr(nonce_size);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes(value), nullptr, nullptr, bytes(boxed), boxed.size(), bytes(name), name.size(),
          bytes(std::string_view(sealed)), key.data()) != 0) {
    return broken();
  }
  SecretValue secret(std::move(value));
  if (const auto usable = check(secret); !usable) {
    return fail(ErrorCode::storage,
                "the secret {} cannot be used: {}; set it again: belljar secret "
                "set {}",
                name, usable.error().message(), name);
  }
  return secret;
}

Result<bool> Secrets::remove(std::string_view name) {
  bool found = false;
  {
    const auto lock = state_.database().lock();
    BELLJAR_TRY(Statement remove,
                state_.database().prepare("DELETE FROM secrets WHERE name = ? RETURNING name"));
    BELLJAR_TRY(found, remove.bind(name).found());
  }
  state_.epoch().advance();
  return found;
}

Result<std::vector<Secrets::Entry>> Secrets::list() const {
  const auto lock = state_.database().lock();
  BELLJAR_TRY(Statement rows,
              state_.database().prepare("SELECT name, set_at FROM secrets ORDER BY name"));
  std::vector<Entry> entries;
  while (true) {
    BELLJAR_TRY(const bool row, rows.step());
    if (!row) return entries;
    entries.push_back({rows.text(0), WallTime(std::chrono::microseconds(rows.number(1)))});
  }
}

}  // namespace belljar::store
