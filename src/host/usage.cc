#include "host/usage.h"

#include <fmt/format.h>

#include <utility>

namespace belljar::host {
namespace {

constexpr std::string_view secret_kind = "secret";

/// A secret and what it was used for, as one target.
std::string secret_target(const std::string& secret, const std::string& target) {
  return fmt::format("{} {}", secret, target);
}

}  // namespace

bool Usage::has_room(std::size_t recorded) {
  if (recorded >= audit::records_of_call) return false;
  return recorded < audit::records_kept_for_call || budget_.take();
}

bool Usage::note(std::string_view kind, const std::string& what) {
  auto found = kinds_.find(kind);
  if (found == kinds_.end()) found = kinds_.emplace(kind, Kind{}).first;
  Kind& used = found->second;
  ++used.times;
  if (used.targets.contains(what)) return false;
  if (!has_room(used.targets.size())) {
    ++used.more;
    return false;
  }
  used.targets.insert(what);
  return true;
}

Usage::SecretUse Usage::note_secret(const std::string& secret, const std::string& url,
                                    const std::string& host) {
  const std::string target = secret_target(secret, url);
  if (note(secret_kind, target)) return {url, true};
  if (kinds_.find(secret_kind)->second.targets.contains(target)) return {url, false};
  std::string wider = fmt::format("further addresses of {}", host);
  if (secret_hosts_.contains({secret, wider})) return {std::move(wider), false};
  if (secret_hosts_.size() >= audit::records_of_call) wider = "further hosts";
  const bool fresh = secret_hosts_.emplace(secret, wider).second;
  return {std::move(wider), fresh};
}

void Usage::forget_secret(const std::string& secret, const std::string& target) {
  secret_hosts_.erase({secret, target});
  const auto found = kinds_.find(secret_kind);
  if (found != kinds_.end()) found->second.targets.erase(secret_target(secret, target));
}

bool Usage::has_secret(const std::string& secret, const std::string& target) const {
  if (secret_hosts_.contains({secret, target})) return true;
  const auto found = kinds_.find(secret_kind);
  return found != kinds_.end() && found->second.targets.contains(secret_target(secret, target));
}

bool Usage::note_answer(std::uint64_t received) {
  if (has_room(answers_)) {
    ++answers_;
    return true;
  }
  ++more_answers_;
  more_received_ += received;
  return false;
}

std::string Usage::totals() const {
  std::string details;
  for (const auto& [kind, used] : kinds_) {
    details += fmt::format("{}\"{}\":{}", details.empty() ? "" : ",", kind, used.times);
  }
  return details;
}

std::vector<std::string> Usage::take_rest() {
  std::vector<std::string> rest;
  for (auto& [kind, used] : kinds_) {
    const std::uint64_t more = std::exchange(used.more, 0);
    if (more > 0) rest.push_back(fmt::format("\"permission\":\"{}\",\"more\":{}", kind, more));
  }
  if (more_answers_ > 0) {
    rest.push_back(fmt::format("\"permission\":\"network\",\"more_answers\":{},\"received\":{}",
                               std::exchange(more_answers_, 0), std::exchange(more_received_, 0)));
  }
  return rest;
}

}  // namespace belljar::host
