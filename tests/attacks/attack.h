// What every attack starts from: a home of its own, the real program, a component that works, and
// the audit log as values.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server.h"

namespace belljar::attacks {

/// What a command left behind.
struct CommandResult {
  /// The exit code, or the negative number of the signal that ended it.
  int code = 0;
  std::string out;
  std::string err;
};

/// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// How a server is started.
struct ServerOptions {
  Era era = Era::stateless;
  /// What `initialize` asks for; only in the era with a handshake.
  std::string version = "2025-11-25";
  /// Serve what the state holds instead of `references` and the healthy component.
  bool from_state = false;
};

/// The fixture of all rows: `using A15 = Attack; TEST_F(A15, …)`.
class Attack : public testing::Test {
 protected:
  Attack();

  /// The folder of this test; commands run in it.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  /// Where the state lies.
  [[nodiscard]] std::filesystem::path home() const { return folder() / "home"; }
  /// Writes a file below the folder, making folders on the way; its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view contents) const;

  /// Runs `belljar WORDS…` to its end.
  CommandResult run(std::vector<std::string> words, std::string_view input = {}) const;
  /// Starts `belljar WORDS…`, to be spoken to while it runs.
  [[nodiscard]] std::unique_ptr<Child> start(std::vector<std::string> words) const;
  /// Starts `belljar serve --stdio healthy=… WORDS…`.
  [[nodiscard]] std::unique_ptr<Server> serve(std::vector<std::string> words = {},
                                              ServerOptions options = {}) const;

  /// How to start another program as the commands are started.
  [[nodiscard]] Child::Options options_for(std::vector<std::string> arguments) const {
    return {std::move(arguments), environment_, folder()};
  }

  /// A variable for the commands that are run from now on.
  void set_variable(const std::string& name, const std::string& value) {
    environment_[name] = value;
  }

  /// A call of the healthy component has to answer as ever.
  static void expect_healthy(Server& server);
  /// The same with a fresh process.
  void expect_healthy() const;

  /// The records of the log, oldest first, each as it lies there (`kind`, `component`, …).
  [[nodiscard]] std::vector<Json> audit_log(std::vector<std::string> words = {}) const;
  /// A record that has all these members. Waits for it, since a call is written shortly after its
  /// answer; fails the test when it never comes.
  Json expect_record(const Json& members) const;
  /// The chains of the log are whole.
  void expect_sound_log() const;

 private:
  [[nodiscard]] Child::Options options(std::vector<std::string> words) const;

  TemporaryFolder folder_;
  std::map<std::string, std::string> environment_;
};

/// A component made of one core module that exports `memory` and `realloc`, with these functions
/// lifted out of it. `module` is what stands in the module, `lifted` what follows it.
[[nodiscard]] std::string component_of(std::string_view module, std::string_view lifted);
/// `canon lift` of core function `name` for strings and lists, as the export `name`.
[[nodiscard]] std::string lift(std::string_view name, std::string_view type);

}  // namespace belljar::attacks
