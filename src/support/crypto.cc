#include "support/crypto.h"

// The plain functions: those of EVP would first read OpenSSL's configuration and set up its
// providers, which takes longer than all else that a short command does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <sodium.h>

#include <cstdlib>

namespace belljar {

void prepare_crypto() {
  // Safe to call again and from several threads; it fails only where there is no randomness.
  if (sodium_init() < 0) std::abort();
}

struct Sha256Hasher::Context {
  SHA256_CTX sha256;
};

// OpenSSL's uses the CPU's SHA instructions, which libsodium's does not. It cannot fail.
Sha256Hasher::Sha256Hasher() : context_(std::make_unique<Context>()) {
  SHA256_Init(&context_->sha256);
}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::update(std::string_view data) {
  SHA256_Update(&context_->sha256, data.data(), data.size());
}

Sha256 Sha256Hasher::finish() {
  Sha256 digest{};
  SHA256_Final(digest.data(), &context_->sha256);
  return digest;
}

Sha256 sha256(std::string_view data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

namespace {

const unsigned char* unsigned_data(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Mac authenticate(const MacKey& key, std::string_view data) {
  prepare_crypto();
  Mac mac{};
  crypto_generichash(mac.data(), mac.size(), unsigned_data(data), data.size(), key.data(),
                     key.size());
  return mac;
}

bool equal_in_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_random(std::span<std::uint8_t> bytes) {
  prepare_crypto();
  randombytes_buf(bytes.data(), bytes.size());
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                     text.size(), nullptr, &length, &end) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  bytes.resize(length);
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), unsigned_data(bytes), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

}  // namespace belljar
