#include "engine/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/wit.h"

namespace belljar::engine {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view adder =
    R"((module (func (export "add_two") (param i32 i64) (result f64) (f64.const 0))))";

std::string problem_with(std::string_view wasm, CompilerLimits limits = {}) {
  const auto compiled = Compiler(BELLJAR_COMPILER_HELPER, limits).compile(wasm, false);
  return compiled ? "it was compiled" : compiled.error().describe();
}

TEST(CompilerTest, MakesAComponentOfAModuleOfNumbers) {
  const auto compiled = Compiler(BELLJAR_COMPILER_HELPER).compile(adder, false);
  ASSERT_TRUE(compiled) << compiled.error().describe();
  EXPECT_FALSE(compiled->code.empty());
  const auto description = parse_description(compiled->description);
  ASSERT_TRUE(description) << description.error().describe();
  EXPECT_FALSE(description->is_component);
  ASSERT_THAT(description->functions, SizeIs(1));
  const Function& function = description->functions.front();
  EXPECT_EQ(function.name, "add-two");
  ASSERT_THAT(function.parameters, SizeIs(2));
  EXPECT_EQ(function.parameters[0].type, Type(Primitive::s32));
  EXPECT_EQ(function.parameters[1].type, Type(Primitive::s64));
  EXPECT_EQ(function.result, Type(Primitive::f64));
}

TEST(CompilerTest, CountsFuelInCodeOfItsOwn) {
  const Compiler compiler(BELLJAR_COMPILER_HELPER);
  const auto plain = compiler.compile(adder, false);
  const auto counting = compiler.compile(adder, true);
  ASSERT_TRUE(plain && counting);
  EXPECT_NE(plain->code, counting->code);
  EXPECT_EQ(plain->description, counting->description);
}

TEST(CompilerTest, SaysWhatIsWrongWithItsInput) {
  EXPECT_THAT(problem_with("hello"), HasSubstr("not WebAssembly"));
  EXPECT_THAT(problem_with("(module (func"), HasSubstr("expected"));
  EXPECT_THAT(problem_with("(module)"), HasSubstr("exports no function that can be called"));
  EXPECT_THAT(problem_with(R"((module (func (export "f") (result i32))))"),
              HasSubstr("type mismatch"))
      << "the cause is part of the message";
}

TEST(CompilerTest, HoldsTheHelperToItsLimits) {
  EXPECT_THAT(problem_with(adder, {.output = Bytes{64}}),
              HasSubstr("compiled code is larger than 64"));
}

TEST(CompilerTest, StopsWhenItIsAskedTo) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(Compiler(BELLJAR_COMPILER_HELPER).compile(adder, false, stop.get_token()));
}

}  // namespace
}  // namespace belljar::engine
