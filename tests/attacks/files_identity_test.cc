// What is granted is what is opened: links on the way to granted and denied places, policies that
// are made narrower meanwhile, and denials that could match nothing. What the file gate does in
// each case is in src/host/file_gate_identity_test.cc.

#include <algorithm>
#include <chrono>
#include <thread>

#include "file_attack.h"

namespace belljar::attacks {
namespace {

using A76 = FileAttack;
using A86 = FileAttack;

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST_F(A76, AGrantWithinAGrantIsNotLedElsewhere) {
  write("outer/w/reports/r", "report");
  write("outer/w/conf.json", "{}");
  write("outer/private/reports", "not for guests");
  const std::string_view nested =
      "    allow:\n"
      "      - {{uri: \"fs://{0}/outer/w\", access: [read, write], guest: /w}}\n"
      "      - {{uri: \"fs://{0}/outer/w/reports\", access: [read, write], guest: /reports}}\n"
      "      - {{uri: \"fs://{0}/outer/w/conf.json\", access: [read], guest: /conf.json}}\n";
  // Every step but the first and the last three would lead the grants within elsewhere.
  EXPECT_THAT(attempt_under(HostileProgram()
                                .make_folder("d")
                                .symbolic_link("..", "d/up")
                                .remove("reports/r")
                                .remove_folder("reports")
                                .rename("reports", "moved")
                                .symbolic_link("d/up/../private", "reports2")
                                .rename("d", "reports")
                                .remove("conf.json")
                                .symbolic_link("d/up/../private", "conf.json"),
                            nested),
              ElementsAre(0, 0, 0, wasi::access, wasi::access, wasi::not_permitted, wasi::access, 0,
                          wasi::not_permitted));
  EXPECT_TRUE(std::filesystem::is_directory(folder() / "outer/w/reports"));
  EXPECT_EQ(contents("outer/private/reports"), "not for guests");
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A76, AFolderThatIsReplacedAfterItWasGrantedIsNotOpened) {
  write("project/reports/file", "report");
  write("hostile.wat", HostileProgram().open("file").read_exactly("report").text());
  const std::string grant =
      fmt::format("storage={}:/data", (folder() / "project/reports").native());
  ASSERT_EQ(run({"load", "hostile.wat", "--grant", grant}).code, 0);
  EXPECT_THAT(results_of(run({"run", "hostile"}).out), AllOf(SizeIs(2), Each(0)));
  std::filesystem::rename(folder() / "project/reports", folder() / "project/old");
  std::filesystem::create_directory_symlink("../outside", folder() / "project/reports");
  write("outside/file", "report");
  EXPECT_THAT(results_of(run({"run", "hostile"}).out), AllOf(SizeIs(2), Each(Not(0))));
  std::filesystem::remove(folder() / "project/reports");
  write("project/reports/file", "report");
  const CommandResult replaced = run({"run", "hostile"});
  EXPECT_THAT(results_of(replaced.out), AllOf(SizeIs(2), Each(Not(0))));
  // A person looks at it and grants it again.
  ASSERT_EQ(run({"grant", "hostile", grant}).code, 0);
  EXPECT_THAT(results_of(run({"run", "hostile"}).out), AllOf(SizeIs(2), Each(0)));
  std::filesystem::remove(folder() / "outside/file");
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A76, APersonIsShownTheFolderThatALinkLeadsTo) {
  write("victim/.ssh/key", "private");
  write("project/policy.yaml",
        "version: \"1.1\"\npermissions:\n  storage:\n    allow: [{uri: \"fs://./data\", access: "
        "[read]}]\n");
  std::filesystem::permissions(folder() / "project/policy.yaml",
                               std::filesystem::perms::owner_read);
  std::filesystem::create_directory_symlink("../victim/.ssh", folder() / "project/data");
  write("hostile.wat", HostileProgram().text());
  ASSERT_EQ(run({"load", "hostile.wat"}).code, 0);
  const auto real = std::filesystem::canonical(folder() / "victim/.ssh").native();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"policy", "check", "project/policy.yaml"},
        {"grant", "hostile", "--policy", "project/policy.yaml"},
        {"grant", "hostile", "storage=project/data:/data"},
        {"policy", "show", "hostile"}}) {
    const CommandResult shown = run(words);
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr(real)) << words.front();
    EXPECT_THAT(shown.out, Not(HasSubstr("project/data"))) << words.front();
  }
}

TEST_F(A76, LinksOnTheWayToWhatIsDeniedStay) {
  write("granted/releases/1/secrets", "private");
  std::filesystem::create_directory_symlink("releases/1", folder() / "granted/current");
  const std::string_view rules =
      "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data}}]\n"
      "    deny: [{{uri: \"fs://{0}/granted/current/secrets\"}}]\n";
  // Twice: what one call could have done to the link, the next would have found.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(attempt_under(HostileProgram()
                                  .remove("current")
                                  .rename("current", "old")
                                  .rename("sub", "current")
                                  .rename("releases", "old")
                                  .open("current/secrets")
                                  .open("releases/1/secrets"),
                              rules),
                AllOf(SizeIs(6), Each(wasi::access)));
  }
  EXPECT_EQ(contents("granted/current/secrets"), "private");
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A76, NothingIsPlantedWhereSomethingDeniedWouldBe) {
  const std::string_view rules =
      "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data}}]\n"
      "    deny: [{{uri: \"fs://{0}/granted/.git/hooks\", access: [write]}}]\n";
  write("granted/mine/hooks/pre-commit", "hostile");
  EXPECT_THAT(attempt_under(HostileProgram()
                                .rename("mine", ".git")
                                .symbolic_link("mine", ".git")
                                .make_folder(".git")
                                .make_folder(".git/hooks")
                                .rename("mine/hooks", ".git/hooks")
                                .symbolic_link("../mine/hooks", ".git/hooks")
                                .rename(".git", "taken")
                                .create(".git/config"),
                            rules),
              ElementsAre(wasi::access, wasi::access, 0, wasi::access, wasi::access, wasi::access,
                          wasi::access, 0));
  EXPECT_FALSE(std::filesystem::exists(folder() / "granted/.git/hooks"));
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A76, BelljarsOwnFoldersAreClosedBehindLinks) {
  std::filesystem::create_directory(folder() / "granted/real-home");
  std::filesystem::create_directory_symlink("granted/real-home", folder() / "home");
  ASSERT_EQ(run({"secret", "set", "key"}, "a secret value\n").code, 0);
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(attempt(HostileProgram()
                            .open("real-home/data/secret.key")
                            .open("real-home/data/state.db")
                            .create("real-home/data/made")
                            .rename("real-home", "moved")
                            .rename("real-home/data", "moved"),
                        "rw"),
                AllOf(SizeIs(5), Each(wasi::access)));
  }
  expect_refusal_recorded();
  expect_healthy();
}

/// Opens a file, says by another that it has, and reads until it may not: its exit code says why.
constexpr std::string_view reader = R"((module
  (import "wasi_snapshot_preview1" "path_open" (func $path_open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread
    (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "file")
  (data (i32.const 16) "ready")
  (func $check (param $error i32) (param $code i32)
    (if (local.get $error) (then (call $proc_exit (local.get $code)))))
  (func (export "_start") (local $error i32)
    (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.const 0) (i64.const 0x200026) (i64.const 0) (i32.const 0) (i32.const 32))
      (i32.const 101))
    (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 5)
      (i32.const 1) (i64.const 0x600166) (i64.const 0) (i32.const 0) (i32.const 36))
      (i32.const 102))
    (i32.store (i32.const 64) (i32.const 128))
    (i32.store (i32.const 68) (i32.const 5))
    (loop $again
      (local.set $error (call $fd_pread (i32.load (i32.const 32)) (i32.const 64) (i32.const 1)
        (i64.const 0) (i32.const 72)))
      (br_if $again (i32.eqz (local.get $error))))
    (call $proc_exit (local.get $error))))
)";

class Narrowed : public FileAttack {
 protected:
  void approve(std::string_view storage) {
    const auto policy =
        write("policy.yaml", fmt::format("version: \"1.1\"\npermissions:\n  storage:\n{}",
                                         fmt::format(fmt::runtime(storage), folder().native())));
    std::filesystem::permissions(
        policy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    const CommandResult result = run({"grant", "reader", "--policy", "policy.yaml"});
    ASSERT_EQ(result.code, 0) << result.err;
  }
  /// Runs the reader under one policy and approves another while it reads.
  void expect_stopped(std::string_view before, std::string_view after) {
    write("reader.wat", reader);
    ASSERT_EQ(run({"load", "reader.wat"}).code, 0);
    approve(before);
    const auto running = start({"run", "reader"});
    const Deadline deadline = soon();
    while (!std::filesystem::exists(folder() / "granted/ready")) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the reader opened nothing";
      std::this_thread::yield();
    }
    approve(after);
    EXPECT_EQ(running->wait(soon()), wasi::access)
        << "an open file was read under the newer policy";
    expect_unharmed();
  }
  static constexpr std::string_view open_folder =
      "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data}}]\n";
};

using A85 = Narrowed;

TEST_F(A85, ADenialThatIsNewClosesAFileThatIsOpen) {
  expect_stopped(open_folder,
                 "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data}}]\n"
                 "    deny: [{{uri: \"fs://{0}/granted/file\"}}]\n");
}

TEST_F(A85, HardLinksThatAreNoLongerAllowedClose) {
  std::filesystem::create_hard_link(folder() / "granted/file", folder() / "second");
  expect_stopped(with_hard_links, open_folder);
}

TEST_F(A85, AFolderThatIsNoLongerGrantedCloses) {
  expect_stopped(open_folder,
                 "    allow: [{{uri: \"fs://{0}/granted/sub\", access: [read], guest: /data}}]\n");
}

TEST_F(A86, DenialsThatMatchNothingAreRefusedWithTheSpellingThatWould) {
  write("granted/my secret", "private");
  write("hostile.wat", HostileProgram().text());
  for (const auto& [spelling, meant] :
       {std::pair<std::string, std::string>{"./granted/my%20secret", "fs://./granted/my secret"},
        {"./granted/s?b", "fs://./granted"},
        {"./granted/[s]ub", "fs://./granted"},
        {"./granted/{sub,x}", "fs://./granted"},
        {"~/granted/sub", "the whole path"},
        {"$HOME/granted/sub", "the whole path"},
        {"./granted/sub ", "fs://./granted/sub"},
        {"./granted/*/sub", "a star may only stand at the end"}}) {
    write("policy.yaml", fmt::format("version: \"1.1\"\npermissions:\n  storage:\n    deny: "
                                     "[{{uri: \"fs://{}\"}}]\n",
                                     spelling));
    std::filesystem::permissions(folder() / "policy.yaml", std::filesystem::perms::owner_read |
                                                               std::filesystem::perms::owner_write);
    const CommandResult result = run({"run", "hostile.wat", "--policy", "policy.yaml"});
    EXPECT_EQ(result.code, 5) << spelling;
    EXPECT_THAT(result.err, AllOf(HasSubstr("policy.yaml:4:"), HasSubstr(meant))) << spelling;
  }
  // A folder that is called so is denied by its name.
  write("granted/[s]ub/file", "private");
  EXPECT_THAT(attempt_under(HostileProgram().open("[s]ub/file").open("my secret").open("file"),
                            "    allow: [{{uri: \"fs://{0}/granted\", access: [read], guest: "
                            "/data}}]\n    deny: [{{uri: \"fs://{0}/granted/[s]ub\"}}, {{uri: "
                            "\"fs://{0}/granted/my secret\"}}]\n"),
              ElementsAre(wasi::access, wasi::access, 0));
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
