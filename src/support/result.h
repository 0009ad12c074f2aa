// Passing errors on. libstdc++ 12 has std::expected without its monadic members.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "belljar/error.h"

#define BELLJAR_CONCATENATE_(a, b) a##b
#define BELLJAR_CONCATENATE(a, b) BELLJAR_CONCATENATE_(a, b)

/// Returns the error of a `Result<void>`.
#define BELLJAR_CHECK(expression)                          \
  do {                                                     \
    if (auto checked_ = (expression); !checked_) {         \
      return std::unexpected(std::move(checked_).error()); \
    }                                                      \
  } while (false)

/// Declares or assigns `target` from a `Result`, or returns its error.
#define BELLJAR_TRY(target, expression) \
  BELLJAR_TRY_(BELLJAR_CONCATENATE(tried_, __LINE__), target, expression)
#define BELLJAR_TRY_(temporary, target, expression)       \
  auto temporary = (expression);                          \
  if (!temporary) {                                       \
    return std::unexpected(std::move(temporary).error()); \
  }                                                       \
  target = *std::move(temporary)

namespace belljar {

/// `return fail(ErrorCode::not_found, "no tool \"{}\"", name);`
template <typename... Arguments>
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Arguments...> format,
                                          Arguments&&... arguments) {
  return std::unexpected(Error(code, fmt::format(format, std::forward<Arguments>(arguments)...)));
}

/// Adds what was being done to the error of a result.
template <typename T>
[[nodiscard]] Result<T> in_context(Result<T> result, std::string doing) {
  if (!result) {
    return std::unexpected(std::move(result).error().with_context(std::move(doing)));
  }
  return result;
}

}  // namespace belljar
