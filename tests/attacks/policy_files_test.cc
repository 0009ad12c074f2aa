// Hostile policy files: what they say, and how they lie on the disk.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "attack.h"

namespace belljar::attacks {
namespace {

using testing::HasSubstr;

constexpr std::string_view harmless =
    "version: \"1.1\"\npermissions: {network: {allow: [{host: good.example}]}}\n";
constexpr std::string_view greedy =
    "version: \"1.1\"\npermissions: {network: {allow: [{host: evil.example}]}}\n";

class PolicyFiles : public Attack {
 protected:
  /// Nobody may use the file, in any way that it could come in: the place is told, and nothing is
  /// given.
  void expect_refused(const std::string& file, const std::string& why) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"call", "healthy.wat", "add", "a=1", "b=2", "--policy", file},
          std::vector<std::string>{"serve", "--stdio", "healthy=healthy.wat", "--policy",
                                   "healthy=" + file},
          std::vector<std::string>{"grant", "healthy.wat", "--policy", file},
          std::vector<std::string>{"load", "healthy.wat", "--policy", file},
          std::vector<std::string>{"policy", "check", file}}) {
      const CommandResult result = run(words);
      EXPECT_EQ(result.code, 5) << words[0] << " took " << file << ": " << result.err;
      EXPECT_THAT(result.err, HasSubstr(why)) << words[0];
      EXPECT_EQ(result.out, "") << words[0];
      EXPECT_LT(result.err.size(), 2'000U) << "the file is not repeated";
    }
  }
  /// What was refused left no trace of a permission, and everything works.
  void expect_nothing_given() {
    expect_healthy();
    expect_record({{"kind", "call"}, {"tool", "healthy_add"}, {"outcome", "returned"}});
    const auto records = audit_log();
    for (const Json& record : records) {
      EXPECT_NE(record["kind"], "policy") << record;
      EXPECT_NE(record["kind"], "grant") << record;
    }
    expect_sound_log();
  }
};

using A68 = PolicyFiles;
using A69 = PolicyFiles;

TEST_F(A68, AnAliasBombIsRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    bomb += fmt::format("a{}: &a{} [*a{}", i, i, i - 1);
    for (int j = 0; j < 8; ++j) bomb += fmt::format(", *a{}", i - 1);
    bomb += "]\n";
  }
  write("bomb.yaml", bomb);
  expect_refused("bomb.yaml", "bomb.yaml:1:5: anchors are not read here");
  const auto check = start({"policy", "check", "bomb.yaml"});
  check->end_input();
  EXPECT_EQ(check->wait(soon()), 5);
  EXPECT_LT(check->peak_memory(), std::size_t{300} << 20);
  expect_nothing_given();
}

TEST_F(A68, AHundredMegabytesAreRefused) {
  write("huge.yaml", std::string(harmless));
  std::filesystem::resize_file(folder() / "huge.yaml", 100'000'000);
  expect_refused("huge.yaml", "larger than the 256 KiB that are read");
  const auto check = start({"policy", "check", "huge.yaml"});
  check->end_input();
  EXPECT_EQ(check->wait(soon()), 5);
  EXPECT_LT(check->peak_memory(), std::size_t{100} << 20) << "it was read";
  expect_nothing_given();
}

TEST_F(A68, UnknownKeysTabsWrongTypesAndKeysGivenTwiceAreRefused) {
  struct Case {
    const char* name;
    std::string text;
    const char* why;
  };
  const std::string head = "version: \"1.1\"\npermissions:\n";
  for (const Case& one : {
           Case{"unknown.yaml", head + "  netwrok: {}\n", ":3:3: unknown key \"netwrok\""},
           Case{"inner.yaml", head + "  network: {allow: [{host: a.example, pathes: [\"/\"]}]}\n",
                ":3:39: unknown key"},
           Case{"tab.yaml", "version: \"1.1\"\npermissions:\n\tnetwork: {}\n", ":3:"},
           Case{"type.yaml", head + "  network: [a.example]\n", ":3:12: network is a map"},
           Case{"twice.yaml", head + "  network: {}\n  network: {}\n",
                ":4:3: the key \"network\" is given twice"},
           Case{"never.yaml", head + "  network: {allow: [{host: \"*.com\"}]}\n", ":3:28: "},
           Case{"merge.yaml", head + "  <<: {network: {}}\n", ":3:3: unknown key \"<<\""},
           Case{"tag.yaml", head + "  network: !!python/object:os.system {}\n",
                ":3:12: tags such as"},
           Case{"deep.yaml",
                head + "  network: " + std::string(50'000, '[') + std::string(50'000, ']') + "\n",
                "nested deeper than 16"},
           Case{"endless.yaml", head + "  network: " + std::string(50'000, '[') + "\n", ":3:"},
           Case{"second.yaml", std::string(harmless) + "---\n" + std::string(greedy),
                "a second document"},
           Case{"empty.yaml", "", ":1:1: the file is empty"},
           Case{"binary.yaml", std::string("\xFF\xFE\0\0", 4), ":1:1: not UTF-8"},
       }) {
    write(one.name, one.text);
    expect_refused(one.name, std::string(one.why));
  }
  expect_nothing_given();
}

TEST_F(A69, AFileThatOthersMayWriteIsRefused) {
  const auto file = write("policy.yaml", harmless);
  for (const mode_t mode : {0666U, 0602U, 0777U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    expect_refused("policy.yaml", "others may write this policy");
  }
  expect_nothing_given();
}

TEST_F(A69, ALinkInThePlaceOfTheFileIsRefused) {
  write("elsewhere/policy.yaml", greedy);
  std::filesystem::create_symlink("elsewhere/policy.yaml", folder() / "policy.yaml");
  expect_refused("policy.yaml", "cannot be a symbolic link");
  expect_nothing_given();
}

TEST_F(A69, AFifoOrDeviceInThePlaceOfTheFileIsRefused) {
  ASSERT_EQ(::mkfifo((folder() / "policy.yaml").c_str(), 0600), 0);
  expect_refused("policy.yaml", "not a file");
  expect_refused("/dev/zero", "not a file");
  expect_nothing_given();
}

TEST_F(A69, AFileThatChangesAllTheTimeIsUsedAsItWasChecked) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  // One of these proves nothing, because anybody may have written it, and it is what the attacker
  // wants to get in: swapped between the look at the file and its use.
  write("good", harmless);
  write("evil", greedy);
  std::atomic<bool> done = false;
  std::atomic<int> swaps = 0;
  std::thread attacker([&] {
    const auto good = folder() / "good.now";
    const auto evil = folder() / "evil.now";
    while (!done) {
      std::error_code error;
      std::filesystem::copy_file(folder() / "good", good,
                                 std::filesystem::copy_options::overwrite_existing, error);
      std::filesystem::rename(good, folder() / "policy.yaml", error);
      std::filesystem::copy_file(folder() / "evil", evil,
                                 std::filesystem::copy_options::overwrite_existing, error);
      ::chmod(evil.c_str(), 0666);
      std::filesystem::rename(evil, folder() / "policy.yaml", error);
      ++swaps;
    }
  });
  while (swaps == 0) std::this_thread::yield();
  int taken = 0;
  int refused = 0;
  const Deadline deadline = soon();
  for (int round = 0;
       round < 40 || ((taken == 0 || refused == 0) && std::chrono::steady_clock::now() < deadline);
       ++round) {
    const CommandResult result = run({"grant", "healthy", "--policy", "policy.yaml"});
    EXPECT_TRUE(result.code == 0 || result.code == 5) << result.err;
    taken += result.code == 0 ? 1 : 0;
    refused += result.code == 5 ? 1 : 0;
    const CommandResult shown = run({"policy", "show", "healthy"});
    EXPECT_THAT(shown.out, testing::Not(HasSubstr("evil.example"))) << "in round " << round;
  }
  done = true;
  attacker.join();
  EXPECT_GT(taken, 0) << "the good file never lay there: nothing was tried";
  EXPECT_GT(refused, 0) << "the evil file never lay there: nothing was tried";
  EXPECT_THAT(run({"policy", "show", "healthy"}).out, HasSubstr("good.example"));
  expect_record({{"kind", "policy"}, {"component", "healthy"}});
  expect_healthy();
  expect_sound_log();
}

TEST_F(A69, AFileThatChangesAfterItWasApprovedChangesNothing) {
  ASSERT_EQ(run({"load", "healthy.wat"}).code, 0);
  write("policy.yaml", harmless);
  ASSERT_EQ(run({"grant", "healthy", "--policy", "policy.yaml"}).code, 0);
  const Json before = Json::parse(run({"policy", "show", "healthy", "--json"}).out);
  const auto server = serve({}, {.from_state = true});
  expect_healthy(*server);
  write("policy.yaml", greedy);
  expect_healthy(*server);
  const Json after = Json::parse(run({"policy", "show", "healthy", "--json"}).out);
  EXPECT_EQ(after["components"][0]["may"], before["components"][0]["may"]);
  EXPECT_EQ(after["components"][0]["policy"]["digest"],
            before["components"][0]["policy"]["digest"]);
  const Json record = expect_record({{"kind", "policy"}, {"component", "healthy"}});
  EXPECT_EQ("sha256:" + record["policy"].get<std::string>(),
            before["components"][0]["policy"]["digest"].get<std::string>());
  EXPECT_EQ(server->end(), 0);
  expect_sound_log();
}

}  // namespace
}  // namespace belljar::attacks
