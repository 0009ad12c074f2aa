// Links by which a guest that has a folder would get out of it. What the file gate does in each
// case is in src/host/file_gate_test.cc and file_gate_race_test.cc.

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "file_attack.h"
#include "host/testing/pinned_mount.h"
#include "host/testing/race.h"

namespace belljar::attacks {
namespace {

using A30 = FileAttack;
using A31 = FileAttack;

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST_F(A30, LinksThatLeadOutOpenNothing) {
  HostileProgram program;
  for (const char* const path : {"link", "absolute", "out/secret", "out"}) {
    program.open(path).open_to_write(path).truncate(path).open_folder(path).status(path);
  }
  program.create("out/new").make_folder("out/new").rename("file", "out/new").remove("out/secret");
  program.symbolic_link("/etc/passwd", "made").symbolic_link("../outside/secret", "made");
  EXPECT_THAT(attempt(program, "rw"), AllOf(SizeIs(26), Each(wasi::not_permitted)));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A30, LinksThatStayInsideAreFollowed) {
  EXPECT_THAT(attempt(HostileProgram()
                          .symbolic_link("sub/deep", "made")
                          .open("made")
                          .read_exactly("deep")
                          .close()
                          .symbolic_link("../file", "sub/back")
                          .open("sub/back")
                          .read_exactly("hello"),
                      "rw"),
              Each(0))
      << "what is refused elsewhere is refused because of where it leads";
  expect_unharmed();
}

TEST_F(A30, ALinkThatIsSwappedWhileAGuestOpensWinsNothing) {
  constexpr std::size_t tries = 500;
  // What is written is what is there already, so that each try finds the file as the first did.
  HostileProgram program;
  for (std::size_t i = 0; i < tries; ++i) {
    program.open_to_write("swapped").read_exactly("hello").write_at(0, "hello").close();
  }
  write("granted/swapped", "hello");
  std::filesystem::create_symlink("../outside/secret", folder() / "granted/swapped-link");
  const host::testing::Swapper swapper(folder() / "granted", {{"swapped", "swapped-link"}});
  std::size_t opened = 0;
  std::size_t refused = 0;
  const Deadline deadline = soon();
  do {
    const std::vector<int> steps = attempt(program, "rw");
    ASSERT_THAT(steps, SizeIs(4 * tries));
    for (auto step = steps.begin(); step != steps.end(); step += 4) {
      const std::vector<int> one(step, step + 4);
      if (one.front() == 0) {
        ++opened;
        ASSERT_THAT(one, Each(0)) << "what was opened is not the file of the folder";
      } else {
        ++refused;
        ASSERT_THAT(one, ElementsAre(wasi::not_permitted, wasi::bad_descriptor,
                                     wasi::bad_descriptor, wasi::bad_descriptor));
      }
    }
  } while ((opened == 0 || refused == 0) && std::chrono::steady_clock::now() < deadline);
  EXPECT_GT(opened, 0U) << "the file never lay there: nothing was tried";
  EXPECT_GT(refused, 0U) << "the link never lay there: nothing was tried";
  expect_refusal_recorded();
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
  const auto mount = host::OpenMount::open(host::testing::pinned(grant));
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
              ElementsAre(wasi::access, wasi::access, wasi::access, wasi::access,
                          wasi::not_permitted, wasi::not_permitted));
  EXPECT_FALSE(std::filesystem::exists(folder() / "granted/another"));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A31, AHardLinkIsOpenedAndMadeWhereTheGrantSaysSo) {
  std::filesystem::create_hard_link(folder() / "outside/secret", folder() / "granted/hard");
  EXPECT_THAT(attempt_under(HostileProgram()
                                .open("hard")
                                .read_exactly("not for guests")
                                .close()
                                .open_to_write("hard")
                                .close()
                                .set_times("hard")
                                .link("hard", "another")
                                .link("file", "third"),
                            with_hard_links),
              Each(0));
  EXPECT_EQ(contents("granted/third"), "hello");
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
