#include "runtime/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/temporary_folder.h"

namespace belljar::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  Result<Config> read(std::string_view text) {
    return read_config(folder_.write("belljar.toml", text));
  }
  /// What is wrong, from the place on.
  std::string problem_with(std::string_view text) {
    const auto config = read(text);
    if (config) return "";
    EXPECT_EQ(config.error().code(), ErrorCode::invalid_policy);
    const std::string message = config.error().message();
    const std::string file = (folder_ / "belljar.toml").native();
    EXPECT_THAT(message, StartsWith(file)) << message;
    return message.substr(std::min(message.size(), file.size() + 1));
  }

  test::TemporaryFolder folder_;
};

TEST_F(ConfigTest, WithoutAFileEverythingHasItsDefault) {
  const auto config = read_config(folder_ / "missing.toml");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->sandboxes, 1'000U);
  EXPECT_EQ(config->frame, Bytes{4 << 20});
  EXPECT_EQ(config->secret_key, store::SecretKeyPlace::file);
  EXPECT_EQ(config->ceiling, std::nullopt);
  EXPECT_TRUE(read(""));
}

TEST_F(ConfigTest, EveryKeyIsReadIntoItsPlace) {
  const auto config = read(R"(
[limits]
sandboxes = 64
workers = 3
memory = "2Gi"
frame = "8Mi"
[network]
name_servers = ["127.0.0.1:5353"]
certificates = "ca.pem"
concurrency = 10
name_timeout = "2s"
connect_timeout = "3s"
head_timeout = "4s"
idle_timeout = "1m"
[compiler]
time = "5m"
memory = "4Gi"
[secrets]
key = "keyring"
[policy]
ceiling = "./ceiling.yaml"
[profiles.work]
tools = ["/opt/a.wasm", "b=/opt/b.wasm"]
policies = {b = "b.yaml"}
bare_names = true
)");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->sandboxes, 64U);
  EXPECT_EQ(config->workers, 3U);
  EXPECT_EQ(config->memory, Bytes{std::uint64_t{2} << 30});
  EXPECT_EQ(config->frame, Bytes{8 << 20});
  EXPECT_THAT(config->egress.name_servers, ElementsAre("127.0.0.1:5353"));
  EXPECT_EQ(config->egress.certificates, (folder_ / "ca.pem").native()) << "relative to the file";
  EXPECT_EQ(config->egress.concurrency, 10U);
  EXPECT_EQ(config->egress.name_timeout, std::chrono::seconds(2));
  EXPECT_EQ(config->egress.connect_timeout, std::chrono::seconds(3));
  EXPECT_EQ(config->egress.head_timeout, std::chrono::seconds(4));
  EXPECT_EQ(config->egress.idle_timeout, std::chrono::minutes(1));
  EXPECT_EQ(config->compiler.time, std::chrono::minutes(5));
  EXPECT_EQ(config->compiler.memory, Bytes{std::uint64_t{4} << 30});
  EXPECT_EQ(config->secret_key, store::SecretKeyPlace::keyring);
  EXPECT_EQ(config->ceiling, folder_ / "ceiling.yaml");
  ASSERT_EQ(config->profiles.size(), 1U);
  const Profile& work = config->profiles.at("work");
  EXPECT_THAT(work.tools, ElementsAre("/opt/a.wasm", "b=/opt/b.wasm"));
  EXPECT_EQ(work.policies.at("b"), "b.yaml");
  EXPECT_TRUE(work.bare_names);
}

TEST_F(ConfigTest, AnUnknownKeyIsAnErrorWithItsPlaceAndTheKeyThatWasMeant) {
  EXPECT_EQ(problem_with("[limits]\nsandboxs = 1\n"),
            "2:1: unknown key \"sandboxs\"; did you mean \"sandboxes\"?");
  EXPECT_EQ(problem_with("[polcy]\n"), "1:2: unknown key \"polcy\"; did you mean \"policy\"?");
  EXPECT_THAT(problem_with("[profiles.x]\ntool = []\n"), StartsWith("2:1: unknown key \"tool\""));
  EXPECT_THAT(problem_with("ceiling = \"x\"\n"), HasSubstr("unknown key \"ceiling\""))
      << "a ceiling outside its table would hold nothing back";
}

TEST_F(ConfigTest, AWrongTypeOrRangeIsAnErrorWithItsPlace) {
  EXPECT_THAT(problem_with("[limits]\nsandboxes = \"64\"\n"),
              StartsWith("2:13: a whole number from 1 to"));
  EXPECT_THAT(problem_with("[limits]\nsandboxes = 1.0\n"), StartsWith("2:13: a whole number"));
  for (const char* text : {"[limits]\nsandboxes = 0\n",
                           "[limits]\nsandboxes = -1\n",
                           "[limits]\nsandboxes = 100001\n",
                           "[limits]\nmemory = 64\n",
                           "[limits]\nmemory = \"lots\"\n",
                           "[limits]\nframe = \"0\"\n",
                           "[network]\nname_servers = \"1.1.1.1\"\n",
                           "[network]\nname_servers = [1]\n",
                           "[network]\nconnect_timeout = 5\n",
                           "[network]\nconnect_timeout = \"5\"\n",
                           "[network]\nconnect_timeout = \"0s\"\n",
                           "[network]\nidle_timeout = \"10us\"\n",
                           "[network]\nhead_timeout = \"1000h\"\n",
                           "[compiler]\ntime = \"100ms\"\n",
                           "[compiler]\nmemory = \"1Ki\"\n",
                           "[secrets]\nkey = \"plain\"\n",
                           "[policy]\nceiling = true\n",
                           "[profiles]\nx = 1\n",
                           "[profiles.x]\nbare_names = \"yes\"\n",
                           "[profiles.x]\npolicies = []\n",
                           "limits = 1\n"}) {
    EXPECT_NE(problem_with(text), "") << text << " was read";
  }
}

TEST_F(ConfigTest, BrokenTomlIsRefusedWithThePlaceWhereItBreaks) {
  EXPECT_THAT(problem_with("[limits]\nsandboxes = \n"), StartsWith("2:"));
  EXPECT_THAT(problem_with("[limits]\nworkers = 1\nworkers = 2\n"), StartsWith("3:"))
      << "a key twice";
  EXPECT_NE(problem_with("a = \"\xFF\"\n"), "");
  EXPECT_NE(problem_with("a = " + std::string(50'000, '[') + "\n"), "");
}

TEST_F(ConfigTest, AHugeFileIsRefusedUnread) { EXPECT_FALSE(read(std::string(300 * 1024, '#'))); }

TEST_F(ConfigTest, AFileThatOthersMayWriteIsRefusedSinceItNamesTheCeiling) {
  const auto file = folder_.write("belljar.toml", "[limits]\nworkers = 1\n");
  test::set_mode(file, 0666);
  const auto config = read_config(file);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message(), HasSubstr("chmod go-w"));
  test::set_mode(file, 0644);
  EXPECT_TRUE(read_config(file));
}

}  // namespace
}  // namespace belljar::runtime
