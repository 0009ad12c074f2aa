#include "toolbox/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace belljar::toolbox {
namespace {

using engine::Description;
using engine::Function;
using engine::FunctionKind;
using engine::Primitive;
using engine::TypeDefinition;
using engine::TypeIndex;
using engine::TypeKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Function function(std::string name, std::string interface = {}) {
  Function function;
  function.interface = std::move(interface);
  function.name = std::move(name);
  return function;
}

Function member(FunctionKind kind, std::string name, std::string interface = "acme:wx/stations") {
  Function made = function(std::move(name), std::move(interface));
  made.kind = kind;
  made.resource = "station";
  return made;
}

Description describe(std::vector<Function> functions) {
  Description description;
  description.functions = std::move(functions);
  return description;
}

/// The names in their order, or the error.
std::vector<std::string> names(const Description& description,
                               std::string_view component = "weather") {
  const auto named = name_functions(component, description);
  if (!named) return {"error: " + named.error().message()};
  std::vector<std::string> names;
  for (const NamedFunction& one : *named) names.push_back(one.tool);
  return names;
}

TEST(NamesTest, PutTheComponentBeforeAFunctionOfTheWorld) {
  EXPECT_THAT(names(describe({function("get-forecast")})), ElementsAre("weather_get-forecast"));
}

TEST(NamesTest, PutTheInterfaceBetweenThem) {
  EXPECT_THAT(names(describe({function("get-forecast", "acme:wx/api"),
                              function("get-forecast", "acme:wx/history@1.2.0")})),
              ElementsAre("weather_api_get-forecast", "weather_history_get-forecast"));
}

TEST(NamesTest, PutThePackageInWhereTwoInterfacesShareAName) {
  EXPECT_THAT(names(describe({function("get", "acme:wx/api@1.0.0"), function("get", "acme:sea/api"),
                              function("get", "acme:sea/tides")})),
              ElementsAre("weather_wx_api_get", "weather_sea_api_get", "weather_tides_get"));
}

TEST(NamesTest, PutTheNamespaceInWhereTwoPackagesShareANameToo) {
  EXPECT_THAT(
      names(describe({function("get", "acme:wx/api"), function("get", "other:wx/api"),
                      function("get", "acme:sea/api")})),
      ElementsAre("weather_acme-wx_api_get", "weather_other-wx_api_get", "weather_sea_api_get"));
}

TEST(NamesTest, LeaveAnInterfaceOfTheWorldItselfItsPlainName) {
  EXPECT_THAT(names(describe({function("get", "api"), function("get", "acme:wx/api")})),
              ElementsAre("weather_api_get", "weather_wx_api_get"));
}

TEST(NamesTest, JoinTheMembersOfAResourceToItsName) {
  const auto named =
      name_functions("weather", describe({member(FunctionKind::constructor, "[constructor]station"),
                                          member(FunctionKind::method, "[method]station.read"),
                                          member(FunctionKind::fixed, "[static]station.nearest")}));
  ASSERT_TRUE(named) << named.error().describe();
  ASSERT_THAT(*named, SizeIs(4));
  EXPECT_EQ((*named)[0].tool, "weather_stations_station-new");
  EXPECT_EQ((*named)[0].whole, "stations_station-new");
  EXPECT_EQ((*named)[1].tool, "weather_stations_station-drop");
  EXPECT_EQ((*named)[1].dropped_resource, "station");
  EXPECT_EQ((*named)[2].tool, "weather_stations_station-read");
  EXPECT_EQ((*named)[2].function, 1U);
  EXPECT_EQ((*named)[3].tool, "weather_stations_station-nearest");
  EXPECT_THAT((*named)[3].dropped_resource, IsEmpty());
}

TEST(NamesTest, LeaveAMethodOfTheNameOfTheDropToolItsName) {
  const auto named =
      name_functions("weather", describe({member(FunctionKind::constructor, "[constructor]station"),
                                          member(FunctionKind::method, "[method]station.drop")}));
  ASSERT_TRUE(named) << named.error().describe();
  ASSERT_THAT(*named, SizeIs(3));
  EXPECT_EQ((*named)[1].tool, "weather_stations_station-release");
  EXPECT_EQ((*named)[1].dropped_resource, "station");
  EXPECT_EQ((*named)[2].tool, "weather_stations_station-drop");
  EXPECT_THAT((*named)[2].dropped_resource, IsEmpty());
}

TEST(NamesTest, KeepTheOrderOfTheExports) {
  const auto order = ElementsAre("weather_b", "weather_a", "weather_api_c");
  EXPECT_THAT(names(describe({function("b"), function("a"), function("c", "acme:wx/api")})), order);
}

TEST(NamesTest, RefuseToGiveOneNameTwice) {
  EXPECT_THAT(
      names(describe({function("get", "acme:wx/api@1.0.0"), function("get", "acme:wx/api@2.0.0")})),
      ElementsAre("error: the functions acme:wx/api@1.0.0#get and acme:wx/api@2.0.0#get "
                  "would both be the tool \"weather_acme-wx_api_get\"; the component has to "
                  "name them apart"));
  EXPECT_THAT(names(describe({member(FunctionKind::constructor, "[constructor]station"),
                              function("station-new", "acme:wx/stations")})),
              ElementsAre(HasSubstr("weather_stations_station-new")));
}

TEST(NamesTest, ShortenWhatIsTooLongAndEndInAHashOfTheWhole) {
  const std::string component(40, 'w');
  const auto made = names(describe({function("get-forecast-of-today"),
                                    function("get-forecast-of-tomorrow"), function("get-now")}),
                          component);
  ASSERT_THAT(made, SizeIs(3));
  for (const std::string& name : made) {
    EXPECT_LE(name.size(), maximum_tool_name) << name;
    EXPECT_THAT(name, testing::MatchesRegex("[A-Za-z0-9_-]+"));
  }
  EXPECT_NE(made[0], made[1]) << "two names that differ only at their ends must stay apart";
  EXPECT_EQ(made[2], component + "_get-now") << "48 characters need no shortening";
  EXPECT_EQ(shorten_tool_name(std::string(49, 'a')), std::string(39, 'a') + "-8f9bec6a")
      << "names must not change from one version to the next: people have granted by them";
}

TEST(NamesTest, MakeARunnableComponentTheToolRun) {
  EXPECT_THAT(names(describe({function("run", "wasi:cli/run@0.2.12")})),
              ElementsAre("weather_run"));
}

TEST(NamesTest, LeaveWhatIsForTheHostOut) {
  EXPECT_THAT(names(describe({function("handle", "wasi:http/incoming-handler@0.2.12"),
                              function("cabi_realloc"), function("get")})),
              ElementsAre("weather_get"));
}

/// A description with `result<_, string>` as its first type.
Description with_failure(std::vector<Function> functions) {
  Description description = describe(std::move(functions));
  TypeDefinition result;
  result.kind = TypeKind::result;
  result.other = Primitive::string;
  description.types.push_back(std::move(result));
  return description;
}

Function with_parameters(Function function, const std::vector<std::string>& parameters) {
  for (const std::string& name : parameters) {
    function.parameters.push_back({name, Primitive::string, {}});
  }
  function.result = TypeIndex{0};
  return function;
}

TEST(NamesTest, LeaveOutWhatStartsAnInterpreterOfJavaScript) {
  const Function starter =
      with_parameters(function("init"), {"shim", "script", "entry-path", "disable-gc"});
  EXPECT_THAT(names(with_failure({starter, function("get")})), ElementsAre("weather_get"));
}

TEST(NamesTest, LeaveOutWhatStartsAnInterpreterOfPython) {
  const Function starter =
      with_parameters(function("init", "exports"), {"app-name", "symbols", "stub-wasi"});
  EXPECT_THAT(names(with_failure({starter, function("get")})), ElementsAre("weather_get"));
}

TEST(NamesTest, KeepAFunctionThatIsOnlyCalledLikePlumbing) {
  EXPECT_THAT(names(describe({function("init")})), ElementsAre("weather_init"));
  EXPECT_THAT(names(with_failure({with_parameters(function("init"), {"script"})})),
              ElementsAre("weather_init"));
  EXPECT_THAT(names(with_failure({with_parameters(function("setup"), {"shim", "script"})})),
              ElementsAre("weather_setup"));
  EXPECT_THAT(names(with_failure(
                  {with_parameters(function("init", "acme:wx/exports"), {"app-name", "symbols"})})),
              ElementsAre("weather_exports_init"));
  EXPECT_THAT(names(describe({function("list", "exports")})), ElementsAre("weather_exports_list"));
}

TEST(FindToolTest, TakesTheFullNameOrATailOfWholeParts) {
  const std::vector<std::string> names{"wx_api_get", "wx_api_list", "wx_get-all"};
  EXPECT_EQ(find_tool(names, "wx_api_get"), 0U);
  EXPECT_EQ(find_tool(names, "api_get"), 0U);
  EXPECT_EQ(find_tool(names, "get"), 0U);
  EXPECT_EQ(find_tool(names, "list"), 1U);
  EXPECT_EQ(find_tool(names, "get-all"), 2U);
}

TEST(FindToolTest, PrefersTheFullNameToATail) { EXPECT_EQ(find_tool({"a_get", "get"}, "get"), 1U); }

TEST(FindToolTest, AsksForMoreWhereATailCouldBeTwo) {
  const auto found = find_tool({"wx_a_get", "wx_b_get"}, "get");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(found.error().message(),
            "\"get\" could be any of wx_a_get, wx_b_get; write more of the name");
}

TEST(FindToolTest, ProposesTheClosestForWhatIsNotThere) {
  const auto found = find_tool({"wx_get-forecast", "wx_list"}, "get-forcast");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::not_found);
  EXPECT_EQ(found.error().message(), "no tool \"get-forcast\"; did you mean \"get-forecast\"?");
}

TEST(FindToolTest, ListsWhatIsThereWhereNothingIsClose) {
  const auto found = find_tool({"wx_get", "wx_list"}, "entirely-different");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message(), "no tool \"entirely-different\"; there are wx_get, wx_list");
  EXPECT_FALSE(find_tool({"wx_get"}, "")) << "an empty name is a tail of everything";
  EXPECT_FALSE(find_tool({"wx_get"}, "et")) << "tails are of whole parts";
}

}  // namespace
}  // namespace belljar::toolbox
