// What can be fuzzed: one function for each parser of bytes from outside.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace belljar::fuzz {

/// Takes one input. It returns, or it has found something.
void json_rpc(std::string_view input);
void policy(std::string_view input);
void grant(std::string_view input);
void host(std::string_view input);
void url(std::string_view input);
void arguments(std::string_view input);
void config(std::string_view input);
void description(std::string_view input);
void code_cache(std::string_view input);
void opener_wire(std::string_view input);
void scrubber(std::string_view input);
void text(std::string_view input);

/// Stops the fuzzer with a sentence where a promise is broken.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

}  // namespace belljar::fuzz
