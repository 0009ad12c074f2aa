// The head of a response as it comes, line by line, and the trailers behind the body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/host.h"

namespace belljar::host {

/// Reads interim responses (RFC 9110, 15.2), the head of the one that counts, and trailers. All of
/// them are counted together. Nothing is a head before its blank line.
class ResponseHead {
 public:
  /// Bytes of all status lines, headers and trailers of an exchange.
  static constexpr std::size_t maximum_bytes = 64 * 1024;
  /// Headers and trailers of an exchange, those of interim responses included.
  static constexpr std::size_t maximum_fields = 256;
  /// Interim responses that may come before the one that counts.
  static constexpr std::size_t maximum_interim = 8;

  /// Takes one line, with its end. False where the exchange cannot go on: see `problem`.
  [[nodiscard]] bool take(std::string_view line);

  /// Whether the blank line behind the head was seen. What comes after it are trailers.
  [[nodiscard]] bool complete() const noexcept { return place_ == Place::behind; }
  [[nodiscard]] int status() const noexcept { return status_; }
  /// Whether the body says itself where it ends: by a length, chunks or frames. Otherwise it ends
  /// with the connection (RFC 9112, 6.3).
  [[nodiscard]] bool says_where_it_ends() const;
  /// As they came. Trailers are counted and not kept.
  [[nodiscard]] const std::vector<engine::HttpHeader>& headers() const noexcept { return headers_; }
  /// All values of a header, whatever the case of its name.
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
  /// Why `take` said no.
  [[nodiscard]] const std::pair<engine::HttpFailure, std::string>& problem() const noexcept {
    return problem_;
  }

 private:
  enum class Place { status_line, fields, behind };

  [[nodiscard]] bool refuse(engine::HttpFailure failure, std::string message);
  [[nodiscard]] bool begin(std::string_view line);
  [[nodiscard]] bool end();

  Place place_ = Place::status_line;
  int status_ = 0;
  /// HTTP/2 and later.
  bool has_frames_ = false;
  std::vector<engine::HttpHeader> headers_;
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  std::size_t interim_ = 0;
  std::pair<engine::HttpFailure, std::string> problem_;
};

}  // namespace belljar::host
