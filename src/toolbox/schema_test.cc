#include "toolbox/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace belljar::toolbox {
namespace {

using engine::Description;
using engine::Function;
using engine::Member;
using engine::Primitive;
using engine::Type;
using engine::TypeDefinition;
using engine::TypeIndex;
using engine::TypeKind;
using testing::HasSubstr;

/// Types that are put together in a test, and the schemas of values of them.
class SchemaTest : public testing::Test {
 protected:
  Type add(TypeDefinition definition) {
    description_.types.push_back(std::move(definition));
    return TypeIndex{static_cast<std::uint32_t>(description_.types.size() - 1)};
  }

  Type add(TypeKind kind, std::optional<Type> element, std::optional<Type> other = std::nullopt) {
    TypeDefinition definition;
    definition.kind = kind;
    definition.element = element;
    definition.other = other;
    return add(std::move(definition));
  }

  Type add(TypeKind kind, std::vector<Member> members, std::string name = {},
           std::string docs = {}) {
    TypeDefinition definition;
    definition.kind = kind;
    definition.members = std::move(members);
    definition.name = std::move(name);
    definition.docs = std::move(docs);
    return add(std::move(definition));
  }

  /// The schema as JSON text, or the error.
  [[nodiscard]] std::string schema(const Type& type) const {
    const auto schema = make_schema(description_, type);
    return schema ? schema->dump() : "error: " + schema.error().message();
  }

  [[nodiscard]] Result<ToolSchemas> schemas(const Function& function) const {
    return make_schemas(description_, function);
  }

  Description description_;
};

TEST_F(SchemaTest, BoundsIntegersByTheirWidth) {
  EXPECT_EQ(schema(Primitive::u8), R"({"type":"integer","minimum":0,"maximum":255})");
  EXPECT_EQ(schema(Primitive::s16), R"({"type":"integer","minimum":-32768,"maximum":32767})");
  EXPECT_EQ(schema(Primitive::u32), R"({"type":"integer","minimum":0,"maximum":4294967295})");
}

TEST_F(SchemaTest, LetsWideIntegersBeStringsOfDigits) {
  EXPECT_EQ(schema(Primitive::u64),
            R"({"type":["integer","string"],"minimum":0,"maximum":9007199254740991,)"
            R"("pattern":"^(0|[1-9][0-9]{0,19})$"})");
  EXPECT_EQ(schema(Primitive::s64),
            R"({"type":["integer","string"],"minimum":-9007199254740991,)"
            R"("maximum":9007199254740991,"pattern":"^(0|-?[1-9][0-9]{0,18})$"})");
}

TEST_F(SchemaTest, NamesWhatJsonHasNoNumbersFor) {
  EXPECT_EQ(schema(Primitive::f64),
            R"({"type":["number","string"],"pattern":"^(NaN|-?Infinity)$"})");
}

TEST_F(SchemaTest, MakesAnOptionNullable) {
  EXPECT_EQ(schema(add(TypeKind::option, Primitive::string)), R"({"type":["string","null"]})");
  const Type unit = add(TypeKind::enumeration, {{"metric", {}, {}}});
  EXPECT_EQ(schema(add(TypeKind::option, unit)),
            R"({"anyOf":[{"type":"string","enum":["metric"]},{"type":"null"}]})")
      << "an enum that does not list null would refuse it";
}

TEST_F(SchemaTest, TellsTheNothingsOfAnOptionOfAnOptionApart) {
  const Type inner = add(TypeKind::option, Primitive::boolean);
  EXPECT_EQ(schema(add(TypeKind::option, inner)),
            R"({"type":["object","null"],"properties":{"some":{"type":["boolean","null"]}},)"
            R"("required":["some"],"additionalProperties":false})");
}

TEST_F(SchemaTest, DemandsTheFieldsOfARecordThatAreNoOptions) {
  const Type note = add(TypeKind::option, Primitive::string);
  const Type place =
      add(TypeKind::record, {{"x", Primitive::boolean, "Across."}, {"note", note, "What it is."}},
          "place", "A place.");
  EXPECT_EQ(schema(place),
            R"({"type":"object","properties":{"x":{"type":"boolean","description":"Across."},)"
            R"("note":{"type":["string","null"],"description":"What it is."}},"required":["x"],)"
            R"("additionalProperties":false,"title":"place","description":"A place."})");
}

TEST_F(SchemaTest, OffersTheCasesOfAVariant) {
  const Type figure =
      add(TypeKind::variant, {{"dot", {}, "A point."}, {"text", Primitive::string, {}}}, "figure");
  EXPECT_EQ(schema(figure),
            R"({"type":"object","oneOf":[{"type":"object","properties":{"tag":{"const":"dot"}},)"
            R"("required":["tag"],"additionalProperties":false,"description":"A point."},)"
            R"({"type":"object","properties":{"tag":{"const":"text"},"val":{"type":"string"}},)"
            R"("required":["tag","val"],"additionalProperties":false}],"title":"figure"})");
}

TEST_F(SchemaTest, LetsTheValueOfACaseBeLeftOutWhereItIsAnOption) {
  const Type title = add(TypeKind::option, Primitive::string);
  const Json made = Json::parse(schema(add(TypeKind::variant, {{"titled", title, {}}})));
  EXPECT_EQ(made["oneOf"][0]["required"].dump(), R"(["tag"])");
}

TEST_F(SchemaTest, DescribesTheMembersOfEnumsAndFlagsInOneText) {
  const std::vector<Member> members{{"read", {}, "May look."}, {"write", {}, {}}};
  EXPECT_EQ(schema(add(TypeKind::enumeration, members, "right", "What one may do.")),
            R"({"type":"string","enum":["read","write"],)"
            R"("description":"What one may do.\nread: May look.","title":"right"})");
  EXPECT_EQ(schema(add(TypeKind::flags, members)),
            R"({"type":"array","items":{"type":"string","enum":["read","write"]},)"
            R"("uniqueItems":true,"description":"read: May look."})");
}

TEST_F(SchemaTest, MakesAMapAnObjectOnlyWhereItsKeysAreStrings) {
  EXPECT_EQ(schema(add(TypeKind::map, Primitive::boolean, Primitive::string)),
            R"({"type":"object","additionalProperties":{"type":"boolean"}})");
  EXPECT_EQ(schema(add(TypeKind::map, Primitive::boolean, Primitive::character)),
            R"({"type":"array","items":{"type":"array","prefixItems":[)"
            R"({"type":"string","minLength":1,"maxLength":1},{"type":"boolean"}],)"
            R"("items":false,"minItems":2,"maxItems":2}})");
}

TEST_F(SchemaTest, SendsBytesAsBase64) {
  EXPECT_EQ(schema(add(TypeKind::list, Primitive::u8)),
            R"({"type":"string","contentEncoding":"base64"})");
  EXPECT_EQ(schema(add(TypeKind::stream, Primitive::u8)),
            R"({"type":"string","contentEncoding":"base64"})");
  EXPECT_EQ(schema(add(TypeKind::list, Primitive::s8)),
            R"({"type":"array","items":{"type":"integer","minimum":-128,"maximum":127}})");
}

TEST_F(SchemaTest, ShowsTheGoodArmOfAFunctionsResult) {
  Function function;
  function.name = "get";
  function.result = add(TypeKind::result, Primitive::boolean, Primitive::string);
  const auto made = schemas(function);
  ASSERT_TRUE(made) << made.error().describe();
  EXPECT_EQ(made->output, R"({"type":"boolean"})");
  EXPECT_FALSE(made->output_is_object);
}

TEST_F(SchemaTest, HasNoOutputForAFunctionThatGivesNothing) {
  Function function;
  function.result = add(TypeKind::result, std::nullopt, Primitive::string);
  const auto made = schemas(function);
  ASSERT_TRUE(made) << made.error().describe();
  EXPECT_EQ(made->output, "");
  EXPECT_EQ(made->input, R"({"type":"object","properties":{},"additionalProperties":false})");
}

TEST_F(SchemaTest, SaysWhetherEveryResultIsAnObject) {
  Function function;
  function.result = add(TypeKind::map, Primitive::boolean, Primitive::string);
  EXPECT_TRUE(schemas(function)->output_is_object);
  // Not so an option of an object, which may be null.
  const Type map = *function.result;
  function.result = add(TypeKind::option, map);
  EXPECT_FALSE(schemas(function)->output_is_object);
}

TEST_F(SchemaTest, DescribesParametersByTheListInTheDocumentation) {
  Function function;
  function.docs = "Looks up.\n\n- `city`: its name,\n  in any language\n- `other`: no parameter";
  const Type place = add(TypeKind::record, {{"x", Primitive::boolean, {}}}, "place", "A place.");
  function.parameters = {{"city", Primitive::string, {}}, {"near", place, {}}};
  const auto made = schemas(function);
  ASSERT_TRUE(made) << made.error().describe();
  const Json properties = Json::parse(made->input)["properties"];
  EXPECT_EQ(properties["city"]["description"], "its name, in any language");
  EXPECT_EQ(properties["near"]["description"], "A place.");
  EXPECT_FALSE(properties.contains("other"));
}

TEST_F(SchemaTest, SaysOfAParameterFirstWhatIsSaidOfItThenOfItsType) {
  Function function;
  function.docs = "- `near`: where to look";
  const Type place = add(TypeKind::record, {{"x", Primitive::boolean, {}}}, "place", "A place.");
  function.parameters = {{"near", place, {}}};
  const auto made = schemas(function);
  ASSERT_TRUE(made) << made.error().describe();
  EXPECT_EQ(Json::parse(made->input)["properties"]["near"]["description"],
            "where to look\nA place.");
}

TEST_F(SchemaTest, TakesOutOfDocumentationWhatCouldDeceive) {
  const Type place = add(TypeKind::record, {{"x", Primitive::boolean, "a\x1b[31mb\u202ec\u200bd"}});
  EXPECT_EQ(Json::parse(schema(place))["properties"]["x"]["description"], "abcd");
}

TEST_F(SchemaTest, RefusesTypesThatUnfoldWithoutEnd) {
  Type type = Primitive::boolean;
  for (int level = 0; level < 20; ++level) {
    type = add(TypeKind::record, {{"a", type, {}}, {"b", type, {}}});
  }
  EXPECT_THAT(schema(type), HasSubstr("unfold to more than can be shown"));
}

TEST_F(SchemaTest, DescribesACommand) {
  const ToolSchemas made = command_schemas();
  EXPECT_TRUE(Json::parse(made.input)["properties"].contains("args"));
  EXPECT_TRUE(Json::parse(made.input)["properties"].contains("stdin"));
  EXPECT_FALSE(Json::parse(made.input).contains("required")) << "a program may run without either";
  EXPECT_EQ(Json::parse(made.output)["required"].dump(), R"(["exit-code","stdout","stderr"])");
  EXPECT_TRUE(made.output_is_object);
}

}  // namespace
}  // namespace belljar::toolbox
