#include "cli/hindrances.h"

#include <fmt/format.h>

#include "runtime/bounds.h"
#include "support/result.h"

namespace belljar::cli {

Result<void> warn_of_hindrances(const std::vector<policy::Document>& granted,
                                const store::ComponentKey& component,
                                runtime::Administration& administration, Terminal& terminal) {
  BELLJAR_TRY(const runtime::Bounds bounds,
              runtime::bounds_of(component, administration.settings(), administration.loader()));
  BELLJAR_TRY(const auto secrets, administration.secrets().list());
  for (const policy::Document& document : granted) {
    for (const auto& hindrance : runtime::hindrances(document, bounds.sources, secrets)) {
      terminal.warn(hindrance.remedy.empty()
                        ? hindrance.problem + ", so it does not hold in full"
                        : fmt::format("{} yet: {}", hindrance.problem, hindrance.remedy));
    }
  }
  return {};
}

}  // namespace belljar::cli
