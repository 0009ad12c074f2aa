// belljar log: what happened.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/time_text.h"
#include "policy/host.h"
#include "runtime/launch.h"
#include "support/file.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::cli {
namespace {

constexpr std::chrono::milliseconds follow_interval{200};
constexpr Bytes body_limit{1 << 20};

/// Members that the first columns show already, or that only tie records together.
bool is_shown_elsewhere(std::string_view key) {
  return key == "kind" || key == "component" || key == "digest" || key == "tool" || key == "heads";
}

std::string detail_text(const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
  // What has blanks in it could look like further members.
  const bool blank = value.is_string() && text.find_first_of(" \t\n") != std::string::npos;
  return policy::with_name_notes(blank ? quoted(text, 160) : one_line(text, 160));
}

/// A member's text; nothing where a record that was tampered with has something else.
std::string text_in(const Json& record, const char* name) {
  const auto member = record.find(name);
  return member != record.end() && member->is_string() ? member->get<std::string>() : "";
}

/// One record on one line.
std::string line_of(const audit::StoredRecord& record, const Style& style) {
  const auto body = parse_json(record.body, body_limit);
  if (!body || !body->is_object()) return style.bad("unreadable record");
  const std::string kind = text_in(*body, "kind");
  const std::string outcome = text_in(*body, "outcome");
  const bool bad = kind == "refusal" || (kind == "call" && outcome != "returned");
  const std::string about =
      body->contains("tool") ? text_in(*body, "tool") : text_in(*body, "component");
  std::string text = fmt::format(
      "{}  {}  {}", style.dim(local_time(record.time)),
      bad ? style.bad(fmt::format("{:<8}", kind)) : style.bold(fmt::format("{:<8}", kind)),
      one_line(about, 60));
  for (const auto& [key, value] : body->items()) {
    if (is_shown_elsewhere(key) || (value.is_string() && value.get<std::string>().empty()))
      continue;
    text += fmt::format(
        "  {}", key == "outcome" ? detail_text(value) : style.dim(key + "=") + detail_text(value));
  }
  return text;
}

class LogCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_flag("-f,--follow", follow_, "Go on showing what happens, until Ctrl-C");
    app.add_option("--component", component_, "Only about this component")->type_name("NAME");
    app.add_option("--tool", tool_, "Only about this tool")->type_name("NAME");
    const std::vector<std::string> kinds = audit::kind_names();
    app.add_option("--kind", kind_, fmt::format("Only this kind: {}", fmt::join(kinds, ", ")))
        ->type_name("KIND")
        ->check(CLI::IsMember(kinds).description(""));
    app.add_option("--since", since_, "Only since this date, or for this long: 2026-01-31, 2h")
        ->type_name("TIME");
    app.add_option("-n,--last", last_, "Only the newest so many")
        ->type_name("NUMBER")
        ->check(CLI::Validator(CLI::PositiveNumber).description(""));
    app.add_flag("--all", all_, "Show the bookkeeping between processes as well");
    verify_ = app.add_subcommand("verify", "Check that nothing was changed or taken out");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const runtime::Settings settings, runtime::read_settings(terminal.variable()));
    BELLJAR_CHECK(make_private_directory(settings.paths.data));
    BELLJAR_TRY(audit::Reader reader, audit::Reader::open(settings.paths.data / "audit.db"));
    return verify_->parsed() ? verify(reader, terminal) : show(reader, terminal);
  }

 private:
  Result<ExitCode> show(audit::Reader& reader, Terminal& terminal) const {
    BELLJAR_TRY(audit::Filter filter, read_filter());
    const auto each = [&](const audit::StoredRecord& record) {
      if (terminal.json) {
        terminal.print_json_text(
            fmt::format(R"({{"time":"{}","chain":{},"sequence":{},"hash":"{}","record":{}}})",
                        format_time(record.time), json_string(record.chain), record.sequence,
                        to_hex(record.hash),
                        // What was tampered with must not break the document.
                        Json::accept(record.body) ? record.body : json_string(record.body)));
      } else {
        terminal.print(line_of(record, terminal.out_style()));
      }
    };
    std::optional<BlockedSignals> blocked;
    std::optional<Interrupt> interrupt;
    if (follow_) {
      blocked.emplace();
      interrupt.emplace(*blocked);
    }
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::int64_t after = 0;
    while (true) {
      BELLJAR_TRY(after, reader.read(filter, after, each));
      terminal.flush();
      if (!follow_ || interrupt->token().stop_requested()) return ExitCode::done;
      // What comes from now on is all new.
      filter.last.reset();
      // Another process writes, and tells nobody. Ctrl-C ends the wait at once.
      std::unique_lock lock(mutex);
      stopped.wait_for(lock, interrupt->token(), follow_interval, [] { return false; });
    }
  }

  Result<audit::Filter> read_filter() const {
    audit::Filter filter;
    const auto given = [](const std::string& text) {
      return text.empty() ? std::nullopt : std::optional(text);
    };
    filter.component = given(component_);
    filter.tool = given(tool_);
    filter.kind = given(kind_);
    if (last_ > 0) filter.last = last_;
    filter.anchors = all_;
    if (!since_.empty()) {
      if (const auto duration = parse_duration(since_)) {
        filter.since =
            SystemClock().now() - std::chrono::duration_cast<std::chrono::microseconds>(*duration);
      } else {
        BELLJAR_TRY(filter.since, parse_local_time(since_));
      }
    }
    return filter;
  }

  static Result<ExitCode> verify(audit::Reader& reader, Terminal& terminal) {
    BELLJAR_TRY(const audit::Verification found, reader.verify());
    std::int64_t records = 0;
    std::int64_t open = 0;
    for (const auto& chain : found.chains) {
      records += chain.records;
      open += chain.closed ? 0 : 1;
    }
    const bool sound = found.problems.empty();
    if (terminal.json) {
      Json chains = Json::array();
      for (const auto& chain : found.chains) {
        chains.push_back(
            {{"chain", chain.id}, {"records", chain.records}, {"closed", chain.closed}});
      }
      terminal.print_json({{"sound", sound}, {"problems", found.problems}, {"chains", chains}});
    } else {
      for (const std::string& problem : found.problems) {
        terminal.print(terminal.out_style().bad("broken  ") + one_line(problem, 400));
      }
      terminal.print(fmt::format(
          "{} records in {} chains: {}", records, found.chains.size(),
          sound ? terminal.out_style().good("nothing was changed or taken out")
                : terminal.out_style().bad(fmt::format("{} problems", found.problems.size()))));
      if (open > 0) {
        terminal.print(
            fmt::format("{} of them are of processes that still run or were killed: the "
                        "last 100 ms of calls of a killed one can be missing",
                        open));
      }
    }
    return sound ? ExitCode::done : ExitCode::host_fault;
  }

  bool follow_ = false;
  bool all_ = false;
  std::string component_;
  std::string tool_;
  std::string kind_;
  std::string since_;
  std::int64_t last_ = 0;
  CLI::App* verify_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> make_log() { return std::make_unique<LogCommand>(); }

}  // namespace belljar::cli
