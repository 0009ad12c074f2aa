#include "artifact/source_index.h"

#include <fmt/format.h>

#include "support/result.h"
#include "support/text.h"

namespace belljar::artifact {
namespace {

/// File systems tell times in steps of up to this much.
constexpr std::chrono::seconds time_resolution{2};

std::string line_of(const FileIdentity& identity, std::string_view digest) {
  return fmt::format("belljar-source 1 {} {} {} {} {} {}", identity.device, identity.inode,
                     identity.size, identity.modified_nanoseconds, identity.changed_nanoseconds,
                     digest);
}

}  // namespace

std::filesystem::path SourceIndex::path_of(const FileIdentity& identity) const {
  return folder_ / fmt::format("{:x}-{:x}", identity.device, identity.inode);
}

std::optional<std::string> SourceIndex::find(const FileIdentity& identity) const {
  const auto entry = read_file(path_of(identity), Bytes{1024});
  if (!entry) return std::nullopt;
  const auto lines = split(*entry, '\n');
  if (lines.size() != 3) return std::nullopt;
  const std::size_t blank = lines[0].rfind(' ');
  const std::string digest(lines[0].substr(blank + 1));
  const std::string expected = line_of(identity, digest);
  const auto mac = from_hex(lines[1]);
  const Mac wanted = authenticate(key_, expected);
  const bool sound = lines[0] == expected && mac &&
                     equal_in_constant_time(
                         {reinterpret_cast<const std::uint8_t*>(mac->data()), mac->size()}, wanted);
  if (!sound) return std::nullopt;
  return digest;
}

void SourceIndex::remember(const FileIdentity& identity, const std::string& digest) const {
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.now().time_since_epoch());
  const std::int64_t settled = now.count() - std::chrono::nanoseconds(time_resolution).count();
  if (identity.changed_nanoseconds > settled || identity.modified_nanoseconds > settled) return;
  const std::string line = line_of(identity, digest);
  static_cast<void>(write_file_atomically(
      path_of(identity), fmt::format("{}\n{}\n", line, to_hex(authenticate(key_, line))), 0600));
}

}  // namespace belljar::artifact
