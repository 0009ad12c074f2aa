#include "policy/merge.h"

#include <algorithm>

namespace belljar::policy {
namespace {

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Calls `each` with every limit of which less is safer, in two sets of them.
template <typename Rules, typename Each>
void each_amount(Rules& one, const LimitRules& other, Each each) {
  each(one.memory, other.memory);
  each(one.timeout, other.timeout);
  each(one.instances, other.instances);
  each(one.output, other.output);
  each(one.handles, other.handles);
  each(one.written, other.written);
  each(one.files, other.files);
  each(one.response, other.response);
  each(one.requests, other.requests);
  each(one.fuel, other.fuel);
}

constexpr auto replace = [](auto& to, const auto& from) {
  if (from) to = from;
};

}  // namespace

void merge(Document& to, const Document& from) {
  append(to.storage, from.storage);
  append(to.storage_denied, from.storage_denied);
  append(to.network, from.network);
  append(to.sockets, from.sockets);
  append(to.cidrs, from.cidrs);
  append(to.network_denied, from.network_denied);
  append(to.sockets_denied, from.sockets_denied);
  append(to.cidrs_denied, from.cidrs_denied);
  append(to.environment, from.environment);
  append(to.secrets, from.secrets);
  append(to.capabilities, from.capabilities);
  append(to.warnings, from.warnings);
  each_amount(to.limits, from.limits, replace);
  replace(to.limits.clock, from.limits.clock);
}

void bind_ranges(Document& document) {
  for (NetworkRule& rule : document.network) append(rule.ranges, document.cidrs);
  for (SocketRule& rule : document.sockets) append(rule.ranges, document.cidrs);
  document.cidrs.clear();
}

LimitRules least(LimitRules one, const LimitRules& other) {
  each_amount(one, other, [](auto& to, const auto& from) {
    if (from) to = to ? std::min(*to, *from) : *from;
  });
  if (other.clock) one.clock = one.clock ? std::max(*one.clock, *other.clock) : *other.clock;
  return one;
}

LimitRules exceeding(const LimitRules& wish, const LimitRules& most) {
  LimitRules more = wish;
  each_amount(more, most, [](auto& wanted, const auto& allowed) {
    if (!allowed || (wanted && *wanted <= *allowed)) wanted.reset();
  });
  if (most.fuel && wish.fuel && wish.fuel->value == 0) more.fuel = wish.fuel;
  if (!most.clock || (wish.clock && *wish.clock >= *most.clock)) more.clock.reset();
  return more;
}

LimitRules bounded(LimitRules wish, const LimitRules& most) {
  each_amount(wish, most, [](auto& wanted, const auto& allowed) {
    if (wanted && allowed) wanted = std::min(*wanted, *allowed);
  });
  return wish;
}

}  // namespace belljar::policy
