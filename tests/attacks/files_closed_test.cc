// Places that no grant opens: what is no file, what is the kernel's, what a rule denies, and what
// is Belljar's own.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cstring>

#include "file_attack.h"
#include "support/file.h"

namespace belljar::attacks {
namespace {

using A33 = FileAttack;
using A36 = FileAttack;

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A socket that somebody listens on, at this place.
UniqueFd listen_at(const std::filesystem::path& place) {
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(place.native().size(), sizeof address.sun_path);
  std::strncpy(address.sun_path, place.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  return listener;
}

TEST_F(A33, PipesSocketsAndDevicesAreNotOpened) {
  ASSERT_EQ(::mkfifo((folder() / "granted/pipe").c_str(), 0666), 0);
  const UniqueFd listener = listen_at(folder() / "granted/socket");
  std::vector<std::string> names{"pipe", "socket"};
  // Only root may make one, and not in every container.
  if (::mknod((folder() / "granted/null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)) == 0) {
    names.emplace_back("null");
  }
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    EXPECT_THAT(
        attempt(
            HostileProgram().open(name).open_to_write(name).truncate(name).create(name).set_times(
                name),
            "rw"),
        AllOf(SizeIs(5), Each(wasi::access)));
    expect_record({{"kind", "refusal"}, {"component", "hostile"}, {"what", "read /data/" + name}});
  }
  EXPECT_THAT(attempt(HostileProgram().open("file").read_exactly("hello"), "rw"), Each(0));
  expect_unharmed();
}

TEST_F(A33, TheKernelsFilesAreNotOpenedFromTheFolderAbove) {
  EXPECT_THAT(attempt_with(HostileProgram()
                               .open("proc/self/environ")
                               .open("proc/self/fd/0")
                               .open("proc/self/root/etc/passwd")
                               .open("proc/1/mem")
                               .open_folder("proc")
                               .open("sys/kernel/notes")
                               .open_folder("sys")
                               .open("dev/null")
                               .open("dev/zero"),
                           {"--grant", "storage=/:/data"}),
              AllOf(SizeIs(9), Each(wasi::access)));
  EXPECT_THAT(
      attempt_with(HostileProgram()
                       .open(std::string_view((folder() / "granted/file").c_str()).substr(1))
                       .read_exactly("hello"),
                   {"--grant", "storage=/:/data"}),
      Each(0))
      << "nothing is opened there at all";
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A33, TheKernelsFoldersAreNotGranted) {
  for (const char* const kernel : {"/proc", "/proc/self", "/sys"}) {
    SCOPED_TRACE(kernel);
    write("hostile.wat", HostileProgram().text());
    const CommandResult named =
        run({"run", "hostile.wat", "--grant", fmt::format("storage={}:/data", kernel)});
    EXPECT_EQ(named.code, 2);
    EXPECT_THAT(named.err, HasSubstr("never opened for a tool"));
    // Nor under another name: a grant is of the folder that a link leads to.
    const auto link = folder() / "kernel";
    std::filesystem::remove(link);
    std::filesystem::create_directory_symlink(kernel, link);
    const CommandResult linked =
        run({"run", "hostile.wat", "--grant", fmt::format("storage={}:/data", link.native())});
    EXPECT_EQ(linked.code, 2);
    EXPECT_THAT(linked.err, HasSubstr("never opened for a tool"));
  }
  EXPECT_THAT(attempt_with(HostileProgram().open("null").open("zero").open("full").open("random"),
                           {"--grant", "storage=/dev:/data"}),
              AllOf(SizeIs(4), Each(wasi::access)));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A33, BelljarsOwnFoldersAreOpenToNobody) {
  ASSERT_EQ(run({"secret", "set", "key"}, "a secret value\n").code, 0);
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  write("home/config/belljar.toml", "[limits]\nsandboxes = 4\n");
  write("neighbour", "of nobody");
  std::filesystem::create_directory(folder() / "home/run");
  std::filesystem::permissions(folder() / "home/run", std::filesystem::perms::owner_all);
  HostileProgram program;
  std::size_t steps = 1;
  program.rename("home", "moved");
  for (const char* const own : {"home/data", "home/config", "home/cache", "home/run"}) {
    const std::string made = std::string(own) + "/made";
    program.open_folder(own).create(made).make_folder(made).symbolic_link("x", made);
    program.rename(own, "moved").rename("neighbour", made);
    steps += 6;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder() / own)) {
      const std::string name = std::filesystem::relative(entry.path(), folder()).native();
      program.open(name).open_to_write(name).truncate(name).remove(name).rename(name, "taken");
      steps += 5;
    }
  }
  const std::vector<std::string> all{"--grant", fmt::format("storage={}:/p:rw", folder().native())};
  EXPECT_THAT(attempt_with(program, all), AllOf(SizeIs(steps), Each(wasi::access)));
  EXPECT_THAT(attempt_with(HostileProgram()
                               .open_to_write("neighbour")
                               .read_exactly("of nobody")
                               .write_at(0, "of a guest")
                               .close()
                               .create("new"),
                           all),
              Each(0));
  EXPECT_EQ(contents("neighbour"), "of a guest");
  EXPECT_EQ(contents("home/config/belljar.toml"), "[limits]\nsandboxes = 4\n");
  EXPECT_FALSE(std::filesystem::exists(folder() / "moved"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "taken"));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A36, ADenyRuleHoldsInEveryCase) {
  write("granted/Private/key", "private");
  EXPECT_THAT(attempt_under(HostileProgram()
                                .open("Private/key")
                                .open("sub/../Private/key")
                                .create("LATER")
                                .make_folder("Later")
                                .create("PRIVATE/key")
                                .rename("Private", "moved")
                                .rename("sub", "later")
                                .status("Private/key"),
                            "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], "
                            "guest: /data}}]\n"
                            "    deny: [{{uri: \"fs://{0}/granted/Private\"}}, "
                            "{{uri: \"fs://{0}/granted/later\"}}]\n"),
              ElementsAre(wasi::access, wasi::access, wasi::access, wasi::access, wasi::no_entry,
                          wasi::access, wasi::access, wasi::access))
      << "no folder is called PRIVATE";
  EXPECT_EQ(contents("granted/Private/key"), "private");
  expect_refusal_recorded();
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
