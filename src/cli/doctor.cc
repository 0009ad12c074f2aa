// belljar doctor: what is wrong, and what mends it.

#include "runtime/doctor.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "policy/host.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

std::string_view level_name(runtime::FindingLevel level) {
  switch (level) {
    case runtime::FindingLevel::good: return "good";
    case runtime::FindingLevel::note: return "note";
    case runtime::FindingLevel::problem: return "problem";
  }
  return "problem";
}

class DoctorCommand final : public Command {
 public:
  void declare(CLI::App&) override {}

  Result<ExitCode> run(Terminal& terminal) override {
    std::error_code error;
    const auto findings =
        runtime::examine(terminal.variable(), std::filesystem::current_path(error));
    std::size_t problems = 0;
    Json json = Json::array();
    for (const runtime::Finding& finding : findings) {
      problems += finding.level == runtime::FindingLevel::problem ? 1 : 0;
      json.push_back({{"level", level_name(finding.level)},
                      {"area", finding.area},
                      {"text", finding.text},
                      {"remedy", finding.remedy}});
      if (!terminal.json) print(finding, terminal);
    }
    if (terminal.json) {
      terminal.print_json({{"problems", problems}, {"findings", std::move(json)}});
    } else {
      terminal.print(problems == 0
                         ? "Nothing is wrong."
                         : fmt::format("{} problem{}.", problems, problems == 1 ? "" : "s"));
    }
    return problems == 0 ? ExitCode::done : ExitCode::host_fault;
  }

 private:
  static void print(const runtime::Finding& finding, Terminal& terminal) {
    const Style& style = terminal.out_style();
    std::string mark;
    switch (finding.level) {
      case runtime::FindingLevel::good: mark = style.good("ok     "); break;
      case runtime::FindingLevel::note: mark = style.warning("note   "); break;
      case runtime::FindingLevel::problem: mark = style.bad("problem"); break;
    }
    terminal.print(fmt::format("{}  {:<10}  {}", mark, finding.area,
                               policy::with_name_notes(one_line(finding.text, 400))));
    if (!finding.remedy.empty()) {
      terminal.print(fmt::format("{:21}to mend it: {}", "", one_line(finding.remedy, 400)));
    }
  }
};

}  // namespace

std::unique_ptr<Command> make_doctor() { return std::make_unique<DoctorCommand>(); }

}  // namespace belljar::cli
