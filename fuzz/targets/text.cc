// Text that people and models are shown, and responses that secrets are taken out of.

#include "support/text.h"

#include "host/scrubber.h"
#include "support/units.h"
#include "targets.h"

namespace belljar::fuzz {

void text(std::string_view input) {
  const CleanText clean = clean_text(input, 4'096);
  require(is_utf8(clean.text), "clean text is UTF-8");
  require(clean.text.find('\x1b') == std::string::npos, "clean text has no escape");
  require(clean_text(clean.text, 4'096).text == clean.text, "clean text stays as it is");
  require(one_line(input).find('\n') == std::string::npos, "one line is one line");
  require(is_utf8(clean_utf8(input)), "what was repaired is UTF-8");
  if (const auto bytes = parse_bytes(input)) {
    require(parse_bytes(policy_bytes(*bytes)) == *bytes, "an amount reads as it is written");
  }
  if (const auto duration = parse_duration(input)) {
    require(parse_duration(policy_duration(*duration)) == *duration,
            "a time reads as it is written");
  }
  static_cast<void>(parse_count(input));
  static_cast<void>(shell_word(input));
}

void scrubber(std::string_view input) {
  if (input.size() < 2) return;
  constexpr std::string_view secret = "s3cret-Value+/9";
  const auto patterns =
      std::make_shared<const host::SecretPatterns>(std::vector<std::string_view>{secret});
  // The first two bytes say where the stream is cut.
  const auto first = static_cast<unsigned char>(input[0]);
  const auto second = static_cast<unsigned char>(input[1]);
  input.remove_prefix(2);
  const std::string whole = host::Scrubber(patterns).scrub(input);
  require(whole.size() == input.size(), "lengths stay true");
  require(whole.find(secret) == std::string::npos, "a secret does not come through");
  host::Scrubber pieces(patterns);
  std::string joined;
  std::size_t at = 0;
  for (const std::size_t part : {std::size_t{first}, std::size_t{second}, input.size()}) {
    const std::size_t length = std::min(part, input.size() - at);
    joined += pieces.push(input.substr(at, length));
    at += length;
  }
  joined += pieces.finish();
  require(joined == whole, "where a stream is cut does not matter");
}

}  // namespace belljar::fuzz
