#include "policy/summary.h"

#include <fmt/format.h>

#include <utility>

#include "policy/rules.h"

namespace belljar::policy {
namespace {

enum class Effect { allow, deny };

class Lines {
 public:
  void add(std::string_view kind, std::string text, Effect effect = Effect::allow) {
    lines_.push_back({std::string(kind), std::move(text), effect == Effect::deny});
  }
  /// Adds each rule, in its short text form.
  template <typename Rules>
  void add_all(std::string_view kind, const Rules& rules, Effect effect = Effect::allow) {
    for (const auto& rule : rules) add(kind, describe(rule), effect);
  }
  /// The same for rules whose hosts may have addresses in ranges.
  template <typename Rules>
  void add_hosts(const Rules& rules, Effect effect = Effect::allow) {
    for (const auto& rule : rules) {
      std::string text = with_name_notes(describe(rule));
      for (const Cidr& range : rule.ranges) {
        text +=
            fmt::format("{} {}", &range == rule.ranges.data() ? ", also at" : ",", range.text());
      }
      add("network", std::move(text), effect);
    }
  }
  void add_ranges(const std::vector<Cidr>& ranges, Effect effect) {
    for (const Cidr& range : ranges) add("network", "addresses in " + range.text(), effect);
  }
  std::vector<SummaryLine> take() { return std::move(lines_); }

 private:
  std::vector<SummaryLine> lines_;
};

}  // namespace

std::string SummaryLine::sentence() const {
  return fmt::format("{}{} {}", denied ? "deny " : "", kind, text);
}

std::vector<std::string> sentences(const std::vector<SummaryLine>& lines) {
  std::vector<std::string> sentences;
  for (const SummaryLine& line : lines) sentences.push_back(line.sentence());
  return sentences;
}

std::vector<SummaryLine> summarize(const Document& document) {
  Lines lines;
  lines.add_all("storage", document.storage);
  for (const StorageRule& rule : document.storage_denied) {
    const bool both = rule.access.read && rule.access.write;
    lines.add("storage",
              fmt::format("{}{}", rule.host.native(),
                          both               ? ""
                          : rule.access.read ? " (reading only)"
                                             : " (writing only)"),
              Effect::deny);
  }
  lines.add_hosts(document.network);
  lines.add_hosts(document.sockets);
  lines.add_ranges(document.cidrs, Effect::allow);
  lines.add_hosts(document.network_denied, Effect::deny);
  lines.add_hosts(document.sockets_denied, Effect::deny);
  lines.add_ranges(document.cidrs_denied, Effect::deny);
  for (const EnvironmentRule& rule : document.environment) {
    lines.add("environment", rule.value ? rule.key + " (a fixed value)" : rule.key);
  }
  for (const SecretRule& rule : document.secrets) {
    lines.add("secret", with_name_notes(describe(rule)));
  }
  for (const CapabilityRule& rule : document.capabilities) lines.add("capability", rule.interface);
  return lines.take();
}

std::vector<SummaryLine> summarize(const Snapshot& snapshot) {
  Document document = snapshot.granted();
  // What holds in the end, with the bounds applied: not what was granted.
  document.storage.clear();
  document.storage_denied.clear();
  for (const Mount& mount : snapshot.mounts()) {
    document.storage.push_back(mount.rule);
    document.storage_denied.insert(document.storage_denied.end(), mount.denied.begin(),
                                   mount.denied.end());
  }
  document.environment.assign(snapshot.environment().begin(), snapshot.environment().end());
  document.secrets.assign(snapshot.secrets().begin(), snapshot.secrets().end());
  std::vector<SummaryLine> lines = summarize(document);
  const bool network = !document.network.empty() || !document.sockets.empty();
  for (const auto& [name, bound] : snapshot.bounds()) {
    const std::string text = fmt::format("only as far as {} allows it", name);
    if (network && bound.has_network) lines.push_back({"network", text, false});
    if (!document.capabilities.empty() && bound.has_capabilities) {
      lines.push_back({"capability", text, false});
    }
  }
  return lines;
}

std::vector<SummaryLine> summarize(const Limits& limits) { return summarize(rules_of(limits)); }

std::vector<SummaryLine> summarize(const LimitRules& limits) {
  Lines lines;
  const auto add = [&](std::string_view name, const auto& amount, auto text) {
    if (amount) lines.add("limit", fmt::format("{}={}", name, text(*amount)));
  };
  const auto number = [](std::uint32_t amount) { return fmt::format("{}", amount); };
  const auto fuel = [](Fuel amount) {
    return amount.value == 0 ? std::string("off") : fmt::format("{}", amount.value);
  };
  add("memory", limits.memory, policy_bytes);
  add("fuel", limits.fuel, fuel);
  add("timeout", limits.timeout, policy_duration);
  add("instances", limits.instances, number);
  add("output", limits.output, policy_bytes);
  add("handles", limits.handles, number);
  add("written", limits.written, policy_bytes);
  add("files", limits.files, number);
  add("response", limits.response, policy_bytes);
  add("requests", limits.requests, number);
  add("clock", limits.clock, policy_duration);
  return lines.take();
}

}  // namespace belljar::policy
