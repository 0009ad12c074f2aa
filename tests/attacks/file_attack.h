// A folder that was granted beside a secret that was not, and a hostile program in the folder.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "attack.h"
#include "hostile_program.h"

namespace belljar::attacks {

/// What WASI 0.1 calls the errors.
namespace wasi {
inline constexpr int access = 2;
inline constexpr int bad_descriptor = 8;
inline constexpr int invalid = 28;
inline constexpr int name_too_long = 37;
inline constexpr int no_entry = 44;
inline constexpr int no_memory = 48;
inline constexpr int no_space = 51;
inline constexpr int not_a_directory = 54;
inline constexpr int not_supported = 58;
inline constexpr int not_permitted = 63;
}  // namespace wasi

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

  /// Runs the program with these words behind it; how each step ended.
  std::vector<int> attempt_with(const HostileProgram& program,
                                std::vector<std::string> more) const {
    write("hostile.wat", program.text());
    more.insert(more.begin(), {"run", "hostile.wat"});
    const CommandResult result = run(std::move(more));
    EXPECT_FALSE(result.out.empty()) << "the program did not come to its end: " << result.err;
    return results_of(result.out);
  }
  /// With the folder granted.
  std::vector<int> attempt(const HostileProgram& program, std::string_view access,
                           std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--grant", fmt::format("storage={}:/data:{}",
                                                      (folder() / "granted").native(), access)});
    return attempt_with(program, std::move(more));
  }
  /// With a policy of this storage section, in which `{}` stands for the folder of the test.
  std::vector<int> attempt_under(const HostileProgram& program, std::string_view storage) const {
    const auto policy =
        write("policy.yaml", fmt::format("version: \"1.1\"\npermissions:\n  storage:\n{}",
                                         fmt::format(fmt::runtime(storage), folder().native())));
    std::filesystem::permissions(
        policy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return attempt_with(program, {"--policy", policy.native()});
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

  /// A storage section that grants the folder with files of more than one name.
  static constexpr std::string_view with_hard_links =
      "    allow: [{{uri: \"fs://{0}/granted\", access: [read, write], guest: /data, "
      "hardlinks: allow}}]\n";
};

}  // namespace belljar::attacks
