// Golden files: what is asked, and below it, indented, what is answered.
//
//   # A remark.
//   load types.wasm              a guest; an answer only where it cannot be loaded
//   tools                        all names with their titles
//   tool types_numbers_u8        its documentation and schemas
//   client somebody              whose calls follow; another one than before
//   call {"value": 7}            a call of that tool, and how it ended
//
// Handles are random, so answers have `<handle 1>` for the first one, and calls may use that.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/runtime.h"

namespace belljar::golden {

/// Goes through a golden file and gives it as it should be.
class GoldenFile {
 public:
  GoldenFile(Runtime& runtime, std::string name) : runtime_(runtime), client_(std::move(name)) {}

  /// The questions of `text`, each with its answer of now.
  [[nodiscard]] std::string replay(std::string_view text);

 private:
  void ask(std::string_view question);
  void answer(std::string_view text);
  void load(std::string_view file);
  void list_tools();
  void describe(std::string_view name);
  void call(std::string_view arguments);
  [[nodiscard]] std::string with_handles(std::string_view text) const;
  [[nodiscard]] std::string without_handles(std::string text);

  Runtime& runtime_;
  std::string client_;
  std::string component_;
  std::string tool_;
  std::vector<std::string> handles_;
  std::string out_;
};

/// JSON in lines of at most `width`: what fits on a line stands on it.
[[nodiscard]] std::string layout(std::string_view json, std::size_t width);

}  // namespace belljar::golden
