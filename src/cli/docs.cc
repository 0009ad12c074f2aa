// belljar docs inject: puts the documentation of a WIT package into a component.

#include <fmt/format.h>

#include "cli/commands.h"
#include "engine/engine.h"
#include "support/file.h"
#include "support/result.h"

namespace belljar::cli {
namespace {

constexpr Bytes component_limit{std::uint64_t{512} << 20};

class DocsCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.require_subcommand(1);
    CLI::App* const inject =
        app.add_subcommand("inject", "Put the documentation of a WIT package into a component");
    inject->add_option("WIT", wit_, "The WIT file or folder that the component was made of")
        ->required();
    inject->add_option("COMPONENT", component_, "The component; it is replaced")->required();
    inject->add_option("-o,--output", output_, "Write the result here instead")->type_name("FILE");
  }

  Result<ExitCode> run(Terminal& terminal) override {
    BELLJAR_TRY(const std::string component, read_file(component_, component_limit));
    BELLJAR_TRY(const std::string documented, engine::inject_docs(wit_, component));
    const std::string& output = output_.empty() ? component_ : output_;
    BELLJAR_CHECK(write_file_atomically(output, documented, 0644));
    if (terminal.json) {
      terminal.print_json({{"file", output}, {"size", documented.size()}});
    } else {
      terminal.print(fmt::format("{} has its documentation now", shown_name(output)));
    }
    return ExitCode::done;
  }

 private:
  std::string wit_;
  std::string component_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Command> make_docs() { return std::make_unique<DocsCommand>(); }

}  // namespace belljar::cli
