// A runtime in a folder of its own, with the guests of the tests at hand.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "belljar/runtime.h"
#include "testing/temporary_folder.h"

namespace belljar::golden {

/// Lives as long as a test program; its state is gone afterwards.
class Workbench {
 public:
  /// Errors say what is missing.
  [[nodiscard]] static Result<std::unique_ptr<Workbench>> create();

  [[nodiscard]] Runtime& runtime() noexcept { return *runtime_; }
  /// The file of a guest: `NAME.wasm` is built, `NAME.wat` is in the source tree.
  [[nodiscard]] static Result<std::filesystem::path> guest(std::string_view file);

 private:
  Workbench() = default;
  test::TemporaryFolder home_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace belljar::golden
