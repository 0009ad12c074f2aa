// Several documents as one.
#pragma once

#include "policy/document.h"

namespace belljar::policy {

/// Adds the rules of one granted document to those of others. The last one that names a limit sets
/// it.
void merge(Document& to, const Document& from);

/// Gives the ranges of a document that stand alone to each host that it allows. They hold for these
/// and no others, so it is done before documents become one.
void bind_ranges(Document& document);

/// The amount that each limit may have at most under both.
[[nodiscard]] LimitRules least(LimitRules one, const LimitRules& other);
/// The limits of `wish` that are more than `most` allows. A finer clock and uncounted fuel are
/// more.
[[nodiscard]] LimitRules exceeding(const LimitRules& wish, const LimitRules& most);
/// `wish`, with no amount greater than in `most`.
[[nodiscard]] LimitRules bounded(LimitRules wish, const LimitRules& most);

}  // namespace belljar::policy
