// Properties that hold for every type and value, tried on random ones. The guest `checks` compares
// each value that it gets with what it is said to be, so it is the guest that finds a fault.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/compiler.h"
#include "random_value.h"
#include "support/file.h"
#include "support/json.h"
#include "workbench.h"

namespace belljar::golden {
namespace {

constexpr std::uint64_t seed = 1;
constexpr int values_per_function = 60;

class RandomValuesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Workbench::create();
    ASSERT_TRUE(made) << made.error().describe();
    workbench_ = *std::move(made);
    const auto path = Workbench::guest("checks.wasm");
    ASSERT_TRUE(path) << path.error().describe();
    const auto loaded = workbench_->runtime().load(path->native());
    ASSERT_TRUE(loaded) << loaded.error().describe();
    const auto component = read_file(*path, Bytes{16 << 20});
    ASSERT_TRUE(component) << component.error().describe();
    const engine::Compiler compiler(BELLJAR_COMPILER_HELPER);
    const auto compiled = compiler.compile(*component, false);
    ASSERT_TRUE(compiled) << compiled.error().describe();
    auto description = engine::parse_description(compiled->description);
    ASSERT_TRUE(description) << description.error().describe();
    description_ = *std::move(description);
    ASSERT_GE(description_.functions.size(), 100U) << "the guest has too few types to try";
  }

  [[nodiscard]] Result<Outcome> call(const engine::Function& function, std::string arguments) {
    Call call;
    call.tool = "checks_shapes_" + function.name;
    call.arguments = std::move(arguments);
    return workbench_->runtime().call(call);
  }

  std::unique_ptr<Workbench> workbench_;
  engine::Description description_;
};

TEST_F(RandomValuesTest, ReachTheGuestAsTheyAreAndComeBackUnchanged) {
  for (const engine::Function& function : description_.functions) {
    RandomValues values(description_, seed);
    for (int round = 0; round < values_per_function; ++round) {
      const RandomValue value = values.value(*function.parameters[0].type);
      const std::string arguments = fmt::format("{{\"value\":{},\"expected\":{}}}", value.input,
                                                json_string(value.canonical));
      const auto outcome = call(function, arguments);
      ASSERT_TRUE(outcome) << function.name << ": " << outcome.error().describe();
      const auto* error = std::get_if<ToolError>(&outcome->result);
      ASSERT_FALSE(error) << function.name << ", round " << round << ", got\n  " << arguments
                          << "\nand the guest, or who read it, says\n  " << error->message
                          << error->json;
      const auto* returned = std::get_if<Returned>(&outcome->result);
      ASSERT_TRUE(returned) << function.name << " did not return for\n  " << arguments;
      // Compared as values, because floats have more than one spelling. The order of keys counts.
      ASSERT_EQ(Json::parse(returned->json), Json::parse(value.output))
          << function.name << ", round " << round << ", got\n  " << arguments;
    }
  }
}

TEST_F(RandomValuesTest, AreRefusedInWordsWhereTheirTextWasDamaged) {
  for (const engine::Function& function : description_.functions) {
    RandomValues values(description_, seed + 1);
    for (int round = 0; round < values_per_function; ++round) {
      const RandomValue value = values.value(*function.parameters[0].type);
      std::string arguments = fmt::format("{{\"value\":{},\"expected\":{}}}", value.input,
                                          json_string(value.canonical));
      const std::size_t place = values.below(arguments.size());
      switch (values.below(3)) {
        case 0: arguments[place] = static_cast<char>(values.below(256)); break;
        case 1: arguments.erase(place, 1 + values.below(8)); break;
        default: arguments.resize(place); break;
      }
      const auto outcome = call(function, arguments);
      // Damage may leave the value as it was, or make another one, which the guest refuses.
      ASSERT_TRUE(outcome) << function.name << ", for\n  " << arguments
                           << "\nfailed: " << outcome.error().describe();
      const auto* error = std::get_if<ToolError>(&outcome->result);
      ASSERT_TRUE(error != nullptr || outcome->ok())
          << function.name << " neither returned nor refused\n  " << arguments;
      if (error != nullptr && error->json.empty()) {
        ASSERT_FALSE(error->message.empty()) << function.name << ", for\n  " << arguments;
      }
    }
  }
}

}  // namespace
}  // namespace belljar::golden
