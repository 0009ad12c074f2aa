// A policy in short sentences, for people and models.
#pragma once

#include <string>
#include <vector>

#include "policy/document.h"
#include "policy/snapshot.h"

namespace belljar::policy {

/// One rule: `network` and `https://api.example GET`.
struct SummaryLine {
  /// storage, network, environment, secret, capability, limit
  std::string kind;
  std::string text;
  bool denied = false;

  /// `network https://api.example GET`, `deny storage /data/private`
  [[nodiscard]] std::string sentence() const;
};

/// The lines as sentences, in their order.
[[nodiscard]] std::vector<std::string> sentences(const std::vector<SummaryLine>& lines);

/// Every rule of a document, in the order of its kinds. Values of variables are left out.
[[nodiscard]] std::vector<SummaryLine> summarize(const Document& document);
/// What a snapshot allows, with the bounds that it keeps within.
[[nodiscard]] std::vector<SummaryLine> summarize(const Snapshot& snapshot);
/// The limits that a document sets.
[[nodiscard]] std::vector<SummaryLine> summarize(const LimitRules& limits);
/// The limits that hold, under the names that a policy gives them.
[[nodiscard]] std::vector<SummaryLine> summarize(const Limits& limits);

}  // namespace belljar::policy
