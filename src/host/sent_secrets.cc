#include "host/sent_secrets.h"

#include <algorithm>

namespace belljar::host {

void SentSecrets::remember(const std::string& server, const Value& value) {
  const std::lock_guard lock(mutex_);
  const auto known = std::find_if(sent_.begin(), sent_.end(), [&](const Sent& sent) {
    return sent.server == server && sent.value->reveal() == value->reveal();
  });
  // What is used now is forgotten last.
  if (known != sent_.end()) sent_.erase(known);
  sent_.push_back({server, value});
  if (sent_.size() > maximum) sent_.pop_front();
}

std::vector<SentSecrets::Value> SentSecrets::of(const std::string& server) const {
  const std::lock_guard lock(mutex_);
  std::vector<Value> values;
  for (const Sent& sent : sent_) {
    if (sent.server == server) values.push_back(sent.value);
  }
  return values;
}

}  // namespace belljar::host
