// The belljar program.

#include <csignal>
#include <cstdio>

#include "cli/command_line.h"
#include "cli/terminal.h"
#include "store/paths.h"
#include "support/descriptors.h"
#include "support/error_table.h"

namespace {

extern "C" void on_file_too_large(int) {}

}  // namespace

int main(int count, char** arguments) {
  // A file that may not grow (ulimit -f) is an error of who writes it, and no reason to end. A
  // handler, because programs that are started inherit what is ignored.
  std::signal(SIGXFSZ, on_file_too_large);
  const auto settled = belljar::settle_descriptors();
  belljar::cli::Terminal terminal(stdout, stderr, belljar::store::environment_variable);
  if (!settled) {
    terminal.warn(settled.error().describe());
    return static_cast<int>(belljar::ExitCode::host_fault);
  }
  belljar::cli::CommandLine commands;
  return commands.run(count, arguments, terminal);
}
