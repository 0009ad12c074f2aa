// A library that is loaded into the real program and takes it over: as soon as the program has
// confined itself, it tries everything that the list knows, and writes down what it reached.

#include "testing/hostile_code.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void take_over() {
  belljar::test::HostileCode code({.file = variable("HOSTILE_FILE"),
                                   .socket = variable("HOSTILE_SOCKET"),
                                   .process = std::atoi(variable("HOSTILE_PROCESS").c_str()),
                                   .memory = std::atoi(variable("HOSTILE_MEMORY").c_str())});
  code.attempt_all();
  std::string text = std::to_string(code.attempts()) + " attempts\n";
  for (const std::string& complaint : code.complaints()) text += complaint + "\n";
  // In a folder of the program's own, and in one piece, for somebody waits for it.
  const std::string path = variable("HOSTILE_REPORT");
  const int report =
      ::open((path + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (::write(report, text.data(), text.size()) < 0) ::_exit(98);
  ::close(report);
  ::rename((path + ".new").c_str(), path.c_str());
}

}  // namespace

/// The program's own step, and the first moment at which it is confined.
extern "C" int seccomp_load(void* filter) {
  using Load = int(void*);
  auto* const load = reinterpret_cast<Load*>(::dlsym(RTLD_NEXT, "seccomp_load"));
  const int result = load == nullptr ? -1 : load(filter);
  take_over();
  return result;
}
