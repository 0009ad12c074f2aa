#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "engine/compiler.h"
#include "engine/wit.h"

namespace belljar::engine {
namespace {

TEST(EngineTest, CompilesAndRuns) {
  Compiler compiler(BELLJAR_COMPILER_HELPER);
  auto c = compiler.compile(
      "(module (func (export \"add\") (param i32 i32) (result i32) local.get 0 local.get 1 "
      "i32.add))",
      false);
  ASSERT_TRUE(c) << c.error().describe();
  auto d = parse_description(c->description);
  ASSERT_TRUE(d) << d.error().describe() << c->description;
  std::puts(c->description.c_str());
}

}  // namespace
}  // namespace belljar::engine
