// What belongs to others while hostile code runs, and how it is seen that nothing happened to it.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/file.h"
#include "testing/hostile_code.h"

namespace belljar::test {

/// Everything that hostile code could reach outside of the process.
class Bystanders {
 public:
  explicit Bystanders(const std::filesystem::path& folder)
      : file_(folder / "bystander"),
        socket_(folder / "socket"),
        memory_(::shmget(IPC_PRIVATE, 4'096, IPC_CREAT | 0600)) {
    std::ofstream(file_) << "theirs";
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.native().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    process_ = ::fork();
    if (process_ == 0) {
      ::pause();
      ::_exit(0);
    }
    EXPECT_EQ(::stat(file_.c_str(), &before_), 0);
  }
  ~Bystanders() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    ::shmctl(memory_, IPC_RMID, nullptr);
  }
  Bystanders(const Bystanders&) = delete;
  Bystanders& operator=(const Bystanders&) = delete;

  [[nodiscard]] HostileTargets targets() const {
    return {.file = file_, .socket = socket_, .process = process_, .memory = memory_};
  }

  void expect_untouched() const {
    struct stat now{};
    ASSERT_EQ(::stat(file_.c_str(), &now), 0);
    EXPECT_EQ(now.st_mode, before_.st_mode);
    EXPECT_EQ(now.st_uid, before_.st_uid);
    EXPECT_EQ(now.st_mtim.tv_sec, before_.st_mtim.tv_sec);
    EXPECT_EQ(now.st_ctim.tv_nsec, before_.st_ctim.tv_nsec) << "something of it was changed";
    EXPECT_EQ(now.st_size, before_.st_size);
    EXPECT_EQ(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC), -1)
        << "somebody connected";
    EXPECT_EQ(::waitpid(process_, nullptr, WNOHANG), 0) << "the process was ended";
    rlimit limit{};
    ASSERT_EQ(::prlimit(process_, RLIMIT_NOFILE, nullptr, &limit), 0);
    EXPECT_GT(limit.rlim_cur, 0U);
    shmid_ds memory{};
    ASSERT_EQ(::shmctl(memory_, IPC_STAT, &memory), 0);
    EXPECT_EQ(memory.shm_nattch, 0U);
  }

 private:
  std::filesystem::path file_;
  std::filesystem::path socket_;
  UniqueFd listener_;
  pid_t process_ = -1;
  int memory_;
  struct stat before_{};
};

}  // namespace belljar::test
