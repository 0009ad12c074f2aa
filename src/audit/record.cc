#include "audit/record.h"

#include <fmt/format.h>

#include <utility>

#include "support/json.h"

namespace belljar::audit {
namespace {

constexpr std::array kinds{
    std::pair{RecordKind::start, "start"},     std::pair{RecordKind::stop, "stop"},
    std::pair{RecordKind::load, "load"},       std::pair{RecordKind::unload, "unload"},
    std::pair{RecordKind::call, "call"},       std::pair{RecordKind::use, "use"},
    std::pair{RecordKind::refusal, "refusal"}, std::pair{RecordKind::request, "request"},
    std::pair{RecordKind::grant, "grant"},     std::pair{RecordKind::revoke, "revoke"},
    std::pair{RecordKind::policy, "policy"},   std::pair{RecordKind::secret, "secret"},
    std::pair{RecordKind::restore, "restore"}, std::pair{RecordKind::anchor, "anchor"},
    std::pair{RecordKind::gap, "gap"},         std::pair{RecordKind::undone, "undone"},
};

void add(Sha256Hasher& hasher, std::string_view part) {
  hasher.update(fmt::format("{}:", part.size()));
  hasher.update(part);
}

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

std::string_view name_of(RecordKind kind) {
  for (const auto& [known, name] : kinds) {
    if (known == kind) return name;
  }
  return "unknown";
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kinds) names.emplace_back(name);
  return names;
}

std::string body_of(const Record& record) {
  std::string body = fmt::format("{{\"kind\":\"{}\"", name_of(record.kind));
  if (record.subject) {
    body += ",\"component\":";
    append_json_string(body, record.subject->component);
    body += ",\"digest\":";
    append_json_string(body, record.subject->digest);
  }
  if (!record.details.empty()) {
    body.push_back(',');
    body += record.details;
  }
  body.push_back('}');
  return body;
}

Sha256 chain_hash(const Sha256& before, const StoredRecord& record) {
  Sha256Hasher hasher;
  add(hasher, view(before));
  add(hasher, record.chain);
  add(hasher, fmt::format("{}", record.sequence));
  add(hasher, fmt::format("{}", record.time.time_since_epoch().count()));
  add(hasher, record.body);
  return hasher.finish();
}

Sha256 chain_origin(std::string_view chain) {
  Sha256Hasher hasher;
  add(hasher, "belljar audit chain 1");
  add(hasher, chain);
  return hasher.finish();
}

}  // namespace belljar::audit
