#include "cli/time_text.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {

Result<WallTime> parse_local_time(std::string_view text) {
  const bool utc = text.ends_with('Z');
  const std::string date(utc ? text.substr(0, text.size() - 1) : text);
  constexpr std::array formats{"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                               "%Y-%m-%d %H:%M", "%Y-%m-%d"};
  for (const char* const format : formats) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* const end = ::strptime(date.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::time_t seconds = utc ? ::timegm(&parts) : ::mktime(&parts);
    return WallTime(std::chrono::seconds(seconds));
  }
  return fail(ErrorCode::invalid_argument,
              "\"{}\" is no date; write 2026-01-31 or 2026-01-31T18:00", one_line(text, 40));
}

std::string local_time(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string scope_text(const store::GrantScope& scope) {
  if (scope.uses) return *scope.uses == 1 ? "once" : fmt::format("{} times", *scope.uses);
  if (scope.session) return "while one server runs";
  if (scope.until) return "until " + local_time(*scope.until);
  return "always";
}

}  // namespace belljar::cli
