// Policy files and single grants.

#include "policy/document.h"
#include "policy/grant.h"
#include "policy/snapshot.h"
#include "policy/summary.h"
#include "targets.h"

namespace belljar::fuzz {
namespace {

/// Asks a snapshot what it would be asked.
void decide(policy::Document document) {
  policy::Sources sources;
  sources.manifest = document;
  sources.ceilings = {document};
  sources.granted.push_back(std::move(document));
  const auto snapshot = policy::Snapshot::compile(std::move(sources));
  static_cast<void>(policy::summarize(*snapshot));
  const auto metadata = policy::Address::v4({169, 254, 169, 254});
  const policy::HttpFacts request{
      policy::Scheme::https, {"api.example", std::nullopt}, 443, "GET", "/a/../b"};
  const bool named = snapshot->decide_address(request, metadata).allowed;
  require(!named || !snapshot->grants_nothing(), "a policy of nothing reaches no address");
  static_cast<void>(snapshot->decide(request));
}

}  // namespace

void policy(std::string_view input) {
  auto document = belljar::policy::parse_policy(input, "policy.yaml", "/folder");
  if (document) decide(*std::move(document));
}

void grant(std::string_view input) {
  const auto grant = belljar::policy::parse_grant(input, "/folder");
  if (!grant) return;
  const auto again = belljar::policy::parse_grant(grant->text(), "/elsewhere");
  require(again.has_value(), "the canonical form of a grant is a grant");
  require(*again == *grant, "the canonical form of a grant is its own");
  belljar::policy::Document document;
  require(belljar::policy::apply_grant(document, *grant).has_value(), "a grant can be applied");
  decide(std::move(document));
}

}  // namespace belljar::fuzz
