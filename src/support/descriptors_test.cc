#include "support/descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace belljar {
namespace {

/// Runs something in a process of its own, whose descriptors are its own, and gives its exit code.
int in_child(const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What is wrong with a stream that was closed and opened in its place; zero for nothing.
int wrong_with(int stream) {
  char byte = 'x';
  if (::read(stream, &byte, 1) != 0) return 10 + stream;
  if (::write(stream, &byte, 1) != -1 || errno != EBADF) return 20 + stream;
  return 0;
}

TEST(Descriptors, WhateverStreamsAreClosedNoFileTakesTheirNumbers) {
  for (unsigned closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(in_child([&] {
                for (int stream = 0; stream < 3; ++stream) {
                  if ((closed & (1U << static_cast<unsigned>(stream))) != 0) ::close(stream);
                }
                if (!settle_descriptors()) return 1;
                for (int stream = 0; stream < 3; ++stream) {
                  const bool was_closed = (closed & (1U << static_cast<unsigned>(stream))) != 0;
                  if (!was_closed) continue;
                  if (const int wrong = wrong_with(stream); wrong != 0) return wrong;
                }
                return ::open("/dev/null", O_RDWR | O_CLOEXEC) == 3 ? 0 : 2;
              }),
              0)
        << closed;
  }
}

TEST(Descriptors, NothingElseIsInherited) {
  EXPECT_EQ(in_child([] {
              for (const int number : {3, 63, 200}) {
                if (::dup2(STDERR_FILENO, number) != number) return 1;
              }
              if (!settle_descriptors()) return 2;
              for (const int number : {3, 63, 200}) {
                if (::fcntl(number, F_GETFD) != -1) return 3;
              }
              return ::fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 0 : 4;
            }),
            0);
}

}  // namespace
}  // namespace belljar
