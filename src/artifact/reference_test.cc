#include "artifact/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::artifact {
namespace {

using ::testing::HasSubstr;

/// The name that a reference gives, or what is wrong with it.
std::string name_of(std::string_view text) {
  const auto reference = parse_reference(text);
  return reference ? reference->name : "error: " + reference.error().message();
}

TEST(References, AFileIsNamedAfterItsStem) {
  EXPECT_EQ(name_of("weather.wasm"), "weather");
  EXPECT_EQ(name_of("/opt/tools/Greet_rs.wasm"), "greet-rs");
  EXPECT_EQ(name_of("a.component.wasm"), "a");
  EXPECT_EQ(name_of("hello.wat"), "hello");
  EXPECT_EQ(name_of("UPPER.WASM"), "upper");
  EXPECT_EQ(name_of("v1.2--final (copy).wasm"), "v1-2-final-copy");
  EXPECT_EQ(name_of("__x__.wasm"), "x");
  EXPECT_EQ(name_of("no-ending"), "no-ending");
  EXPECT_EQ(name_of("Grüße.wasm"), "gr-e") << "no letter that could look like another";
  EXPECT_EQ(name_of(std::string(100, 'a') + ".wasm"), std::string(40, 'a'));
  EXPECT_EQ(name_of(std::string(39, 'a') + "-b.wasm"), std::string(39, 'a'))
      << "no hyphen is left at the end of what was cut";
}

TEST(References, ANameMayBeGiven) {
  const auto reference = parse_reference("wx=/opt/tools/weather.wasm");
  ASSERT_TRUE(reference);
  EXPECT_EQ(reference->name, "wx");
  EXPECT_EQ(reference->path, "/opt/tools/weather.wasm");
  EXPECT_EQ(name_of("/opt/a=b.wasm"), "a-b") << "an equals sign behind a slash belongs to the path";
}

TEST(References, PathsAreMadeAbsolute) {
  EXPECT_EQ(parse_reference("./a/../weather.wasm")->path,
            std::filesystem::current_path() / "weather.wasm");
}

TEST(References, NamesThatCouldBeMistakenAreRefused) {
  for (const char* text :
       {"belljar=/x.wasm", "belljar.wasm", "Belljar.wasm", "=/x.wasm", "A=/x.wasm", "a_b=/x.wasm",
        "a b=/x.wasm", "-a=/x.wasm", "é=/x.wasm", "а=/x.wasm"}) {
    EXPECT_THAT(name_of(text), HasSubstr("error: ")) << text;
  }
  EXPECT_THAT(name_of(std::string(41, 'a') + "=/x.wasm"), HasSubstr("at most 40"));
  EXPECT_THAT(name_of("/opt/___.wasm"), HasSubstr("NAME="));
  EXPECT_THAT(name_of(""), HasSubstr("no file is named"));
  EXPECT_THAT(name_of("x="), HasSubstr("no file is named"));
}

TEST(References, AddressesOfTheNetworkAreRefusedByName) {
  for (const char* text : {"https://a.example/x.wasm", "oci://r.example/x:1",
                           "wx=https://a.example/x.wasm", "http://a.example/x.wasm"}) {
    EXPECT_THAT(name_of(text), HasSubstr("loaded from files")) << text;
  }
}

TEST(References, ANameIsToldFromAFile) {
  EXPECT_TRUE(is_component_name("weather-2"));
  EXPECT_FALSE(is_component_name("belljar"));
  EXPECT_FALSE(is_component_name(""));
  EXPECT_FALSE(is_component_name("Weather"));
  EXPECT_FALSE(is_component_name("we_ather")) << "an underscore separates, and nothing else does";
  EXPECT_TRUE(looks_like_path("./weather"));
  EXPECT_TRUE(looks_like_path("weather.wasm"));
  EXPECT_TRUE(looks_like_path("weather.wat"));
  EXPECT_FALSE(looks_like_path("weather"));
}

}  // namespace
}  // namespace belljar::artifact
