// The belljar program.

#include <cstdio>

#include "cli/command_line.h"
#include "cli/terminal.h"
#include "store/paths.h"

int main(int count, char** arguments) {
  belljar::cli::Terminal terminal(stdout, stderr, belljar::store::environment_variable);
  belljar::cli::CommandLine commands;
  return commands.run(count, arguments, terminal);
}
