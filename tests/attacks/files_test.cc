// A guest that has a folder and wants more. What the file gate does in each case, and the race of a
// million tries, are in src/host/file_gate_test.cc and file_gate_race_test.cc.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include "attack.h"
#include "host/testing/race.h"
#include "hostile_program.h"

namespace belljar::attacks {
namespace {

// What WASI 0.1 calls them.
constexpr int no_memory = 48;
constexpr int no_space = 51;

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ne;
using ::testing::SizeIs;

/// A granted folder beside a secret that is not granted.
class FileAttack : public Attack {
 protected:
  FileAttack() {
    write("granted/file", "hello");
    write("granted/sub/deep", "deep");
    write("outside/secret", "not for guests");
    std::filesystem::create_symlink("../outside/secret", folder() / "granted/link");
    std::filesystem::create_symlink(folder() / "outside/secret", folder() / "granted/absolute");
    std::filesystem::create_directory_symlink("../outside", folder() / "granted/out");
  }

  std::string contents(std::string_view name) const {
    std::ifstream file(folder() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// Runs the program with the folder granted; how each step ended.
  std::vector<int> attempt(const HostileProgram& program, std::string_view access,
                           std::vector<std::string> more = {}) const {
    write("hostile.wat", program.text());
    std::vector<std::string> words{
        "run", "hostile.wat", "--grant",
        fmt::format("storage={}:/data:{}", (folder() / "granted").native(), access)};
    words.insert(words.end(), more.begin(), more.end());
    const CommandResult result = run(std::move(words));
    EXPECT_FALSE(result.out.empty()) << "the program did not come to its end: " << result.err;
    return results_of(result.out);
  }

  /// After every attack: nothing outside has changed, a call works, the log is whole.
  void expect_unharmed() const {
    EXPECT_EQ(contents("outside/secret"), "not for guests");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder() / "outside"), {}), 1);
    expect_healthy();
    expect_sound_log();
  }
  void expect_refusal_recorded() const {
    expect_record({{"kind", "refusal"}, {"component", "hostile"}});
  }
};

using A29 = FileAttack;
using A30 = FileAttack;
using A31 = FileAttack;
using A32 = FileAttack;
using A33 = FileAttack;
using A34 = FileAttack;
using A35 = FileAttack;
using A36 = FileAttack;
using A37 = FileAttack;

TEST_F(A29, PathsThatClimbOutOpenNothing) {
  HostileProgram program;
  for (const char* const path :
       {"../outside/secret", "sub/../../outside/secret", "/etc/passwd", "//etc/passwd", "..",
        "./../outside/secret", "sub/./../.././outside/secret", "file/", "file/.", "file/../file",
        "out/../../outside/secret", ""}) {
    program.open(path);
  }
  EXPECT_THAT(attempt(program, "rw"), Each(Ne(0)));
  EXPECT_THAT(attempt(HostileProgram().open("sub/../file").open("./file").open("sub//deep"), "ro"),
              Each(0));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A30, LinksThatLeadOutOpenNothing) {
  HostileProgram program;
  for (const char* const path : {"link", "absolute", "out/secret", "out"}) {
    program.open(path).open_to_write(path).truncate(path).open_folder(path).status(path);
  }
  program.create("out/new").make_folder("out/new").rename("file", "out/new").remove("out/secret");
  program.symbolic_link("/etc/passwd", "made").symbolic_link("../outside/secret", "made");
  EXPECT_THAT(attempt(program, "rw"), Each(Ne(0)));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A30, ALinkThatIsSwappedWhileAGuestOpensWinsNothing) {
  HostileProgram program;
  // Each try reads: the first byte of what was opened is the first of its contents.
  for (int i = 0; i < 1'000; ++i) program.open("swapped").write_at(0, "x");
  write("granted/swapped", "hello");
  std::filesystem::create_symlink("../outside/secret", folder() / "granted/swapped-link");
  const std::string one = (folder() / "granted/swapped").native();
  const std::string other = (folder() / "granted/swapped-link").native();
  std::jthread swapper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
    }
  });
  EXPECT_THAT(attempt(program, "rw"), SizeIs(2'000));
  swapper = {};
  expect_unharmed();
}

// At the speed of the library: through the program a try takes a thousand times as long.
TEST_F(A30, AMillionTriesToSwapAFileOrAFolderWinNothing) {
  write("race/outside/file", "not for guests");
  write("race/granted/file", "hello");
  write("race/granted/folder/file", "hello");
  std::filesystem::create_symlink("../outside/file", folder() / "race/granted/file-link");
  std::filesystem::create_directory_symlink("../outside", folder() / "race/granted/folder-link");
  struct stat forbidden{};
  ASSERT_EQ(::stat((folder() / "race/outside/file").c_str(), &forbidden), 0);
  policy::Mount grant;
  grant.rule.host = folder() / "race/granted";
  grant.rule.guest = "/data";
  grant.rule.access = {.read = true, .write = true};
  const auto mount = host::OpenMount::open(grant);
  ASSERT_TRUE(mount);
  for (const auto& [name, path] :
       {std::pair<std::string, std::string>{"file", "file"}, {"folder", "folder/file"}}) {
    const host::testing::Swapper swapper(folder() / "race/granted", {{name, name + "-link"}});
    engine::FileRequest request;
    request.path = path;
    request.follow = true;
    request.read = true;
    const auto outcomes = host::testing::race(**mount, request, forbidden.st_ino, 500'000);
    EXPECT_EQ(outcomes.escaped, 0) << name;
    EXPECT_GT(outcomes.opened, 0) << "the race never let the file be opened: nothing was tried";
    EXPECT_GT(outcomes.refused, 0) << "the race never put the link there: nothing was tried";
  }
  expect_unharmed();
}

TEST_F(A31, AHardLinkFromOutsideIsNotOpened) {
  std::filesystem::create_hard_link(folder() / "outside/secret", folder() / "granted/hard");
  EXPECT_THAT(attempt(HostileProgram()
                          .open("hard")
                          .open_to_write("hard")
                          .truncate("hard")
                          .set_times("hard")
                          .link("hard", "another")
                          .link("file", "another"),
                      "rw"),
              Each(Ne(0)));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A32, AReadOnlyGrantChangesNothing) {
  const auto before = std::filesystem::last_write_time(folder() / "granted/file");
  EXPECT_THAT(attempt(HostileProgram()
                          .truncate("file")
                          .open_to_write("file")
                          .create("new")
                          .make_folder("new")
                          .remove("file")
                          .remove_folder("sub")
                          .rename("file", "new")
                          .link("file", "new")
                          .symbolic_link("file", "new")
                          .set_times("file"),
                      "ro"),
              Each(Ne(0)));
  EXPECT_THAT(
      attempt(HostileProgram().open("file").set_size(0).write_at(0, "x").allocate(0, 10), "ro"),
      ElementsAre(0, Ne(0), Ne(0), Ne(0)));
  EXPECT_EQ(contents("granted/file"), "hello");
  EXPECT_EQ(std::filesystem::last_write_time(folder() / "granted/file"), before);
  EXPECT_FALSE(std::filesystem::exists(folder() / "granted/new"));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A33, PipesAndTheKernelsFilesAreNotOpened) {
  ASSERT_EQ(::mkfifo((folder() / "granted/pipe").c_str(), 0666), 0);
  EXPECT_THAT(attempt(HostileProgram().open("pipe").open_to_write("pipe").truncate("pipe"), "rw"),
              Each(Ne(0)));
  HostileProgram kernel;
  for (const char* const path :
       {"self/environ", "self/mem", "self/fd/0", "self/root/etc/passwd", "1"}) {
    kernel.open(path);
  }
  for (const char* const host : {"/proc", "/sys", "/dev"}) {
    write("hostile.wat",
          HostileProgram(kernel).open("null").open("zero").open("kernel/notes").text());
    const CommandResult result =
        run({"run", "hostile.wat", "--grant", fmt::format("storage={}:/data", host)});
    if (!result.out.empty()) {
      EXPECT_THAT(results_of(result.out), Each(Ne(0))) << host;
    }
  }
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A34, FilesBytesDepthAndNamesHaveQuotas) {
  EXPECT_THAT(attempt(HostileProgram()
                          .create("one")
                          .create("two")
                          .create("three")
                          .make_folder("four")
                          .symbolic_link("file", "five"),
                      "rw", {"--grant", "limit=files=2"}),
              ElementsAre(0, 0, no_space, no_space, no_space));
  EXPECT_THAT(attempt(HostileProgram()
                          .create("bytes")
                          .write_at(0, std::string(60'000, 'x'))
                          .write_at(60'000, std::string(10'000, 'x')),
                      "rw", {"--grant", "limit=written=64Ki"}),
              ElementsAre(0, 0, no_space));
  EXPECT_EQ(std::filesystem::file_size(folder() / "granted/bytes"), 60'000U);
  HostileProgram program;
  program.create(std::string(256, 'n'))
      .create(std::string(5'000, 'n'))
      .create(std::string(100'000, 'n'));
  std::string deep = "d";
  for (int i = 0; i < 100; ++i) deep += "/d";
  EXPECT_THAT(attempt(program.create(deep), "rw"), Each(Ne(0)));
  HostileProgram handles;
  for (int i = 0; i < 10; ++i) handles.open("file");
  const std::vector<int> opened = attempt(handles, "ro", {"--grant", "limit=handles=4"});
  EXPECT_EQ(std::count(opened.begin(), opened.end(), 0), 4);
  EXPECT_EQ(opened.back(), no_memory) << "there is no code for too many open files";
  expect_unharmed();
}

TEST_F(A35, AFileOfAnExabyteIsNotMade) {
  constexpr std::uint64_t exabyte = std::uint64_t{1} << 60;
  EXPECT_THAT(attempt(HostileProgram()
                          .create("sparse")
                          .set_size(exabyte)
                          .write_at(exabyte, "x")
                          .write_at(~std::uint64_t{0}, "x")
                          .allocate(0, exabyte)
                          .set_size(~std::uint64_t{0}),
                      "rw"),
              ElementsAre(0, Ne(0), Ne(0), Ne(0), Ne(0), Ne(0)));
  EXPECT_EQ(std::filesystem::file_size(folder() / "granted/sparse"), 0U);
  expect_unharmed();
}

TEST_F(A36, ADenyRuleHoldsInEveryCase) {
  write("granted/Private/key", "private");
  write("policy.yaml",
        fmt::format(
            "version: \"1.1\"\npermissions:\n  storage:\n"
            "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data}}]\n"
            "    deny: [{{uri: \"fs://{0}/granted/Private\"}}, "
            "{{uri: \"fs://{0}/granted/later\"}}]\n",
            folder().native()));
  std::filesystem::permissions(folder() / "policy.yaml", std::filesystem::perms::owner_read |
                                                             std::filesystem::perms::owner_write);
  write("hostile.wat", HostileProgram()
                           .open("Private/key")
                           .open("sub/../Private/key")
                           .create("LATER")
                           .make_folder("Later")
                           .create("PRIVATE/key")
                           .rename("Private", "moved")
                           .rename("sub", "later")
                           .status("Private/key")
                           .text());
  const CommandResult result = run({"run", "hostile.wat", "--policy", "policy.yaml"});
  EXPECT_THAT(results_of(result.out), AllOf(SizeIs(8), Each(Ne(0)))) << result.err;
  EXPECT_EQ(contents("granted/Private/key"), "private");
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A37, AFolderOfManyEntriesIsListedWithinBounds) {
  const std::filesystem::path many = folder() / "granted/many";
  std::filesystem::create_directories(many);
  const int parent = ::open(many.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(parent, 0);
  // A file has at most 65,000 names.
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = fmt::format("{:06}", i);
    const char* const file = i % 2 == 0 ? "granted/file" : "granted/sub/deep";
    ASSERT_EQ(::linkat(AT_FDCWD, (folder() / file).c_str(), parent, name.c_str(), 0), 0) << name;
  }
  ::close(parent);
  EXPECT_THAT(attempt(HostileProgram().open_folder("many").read_folder(), "ro",
                      {"--grant", "limit=memory=16Mi"}),
              Each(0))
      << "it is read as the guest takes it";
  EXPECT_THAT(attempt(HostileProgram().open_folder("sub").read_folder(), "ro"), Each(0));
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
