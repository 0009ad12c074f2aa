// A22 to A24: guests that lie about what they give.

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "attack.h"
#include "support/crypto.h"

namespace belljar::attacks {
namespace {

using A22 = Attack;
using A23 = Attack;
using A24 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

void expect_stopped_by(const Json& result, std::string_view limit) {
  EXPECT_TRUE(result.value("isError", false)) << result;
  EXPECT_THAT(text_of(result), testing::HasSubstr(fmt::format("\"{}\"", limit)));
}

void expect_trapped(const Json& result) {
  EXPECT_TRUE(result.value("isError", false)) << result.dump().substr(0, 400);
  EXPECT_THAT(text_of(result), testing::HasSubstr("crashed"));
}

/// Gives lists whose elements all lie in the same place, so that little memory says much.
const std::string aliasing = component_of(R"(
    ;; `count` strings of `size` bytes, all of them the same bytes.
    (func (export "strings") (param $count i32) (param $size i32) (result i32) (local $i i32)
      (drop (memory.grow (i32.const 400)))
      (memory.fill (i32.const 1048576) (i32.const 97) (i32.const 8388608))
      (loop $again
        (i32.store (i32.add (i32.const 9437184) (i32.mul (local.get $i) (i32.const 8)))
                   (i32.const 1048576))
        (i32.store (i32.add (i32.const 9437188) (i32.mul (local.get $i) (i32.const 8)))
                   (local.get $size))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (i32.store (i32.const 16) (i32.const 9437184))
      (i32.store (i32.const 20) (local.get $count))
      (i32.const 16))
    ;; One flat list of zeros.
    (func (export "nothings") (param $count i32) (result i32)
      (drop (memory.grow (i32.const 400)))
      (i32.store (i32.const 16) (i32.const 64))
      (i32.store (i32.const 20) (local.get $count))
      (i32.const 16))
)",
                                          R"((alias core export $i "memory" (core memory $mem))
  (func (export "strings") (param "count" u32) (param "size" u32) (result (list string))
    (canon lift (core func $i "strings") (memory $mem)))
  (func (export "bytes") (param "count" u32) (param "size" u32) (result (list (list u8)))
    (canon lift (core func $i "strings") (memory $mem)))
  (func (export "numbers") (param "count" u32) (param "size" u32) (result (list (list (tuple u8 u8))))
    (canon lift (core func $i "strings") (memory $mem)))
  (func (export "flat") (param "count" u32) (result (list u8))
    (canon lift (core func $i "nothings") (memory $mem)))
  (func (export "flags") (param "count" u32) (result (list bool))
    (canon lift (core func $i "nothings") (memory $mem))))");

TEST_F(A22, AliasedListsDoNotMultiplyTheHostsMemory) {
  write("alias.wat", aliasing);
  const auto server = serve({"alias.wat"});
  expect_healthy(*server);
  EXPECT_EQ(text_of(server->call("alias_strings", {{"count", 2}, {"size", 3}})),
            R"(["aaa","aaa"])");
  const std::size_t before = server->child().peak_memory();
  for (const std::string_view tool : {"alias_strings", "alias_bytes", "alias_numbers"}) {
    SCOPED_TRACE(tool);
    // Eight terabytes, then the edge of the limit in large and in small pieces.
    expect_stopped_by(server->call(tool, {{"count", 1'000'000}, {"size", 8'388'608}}), "output");
    expect_stopped_by(server->call(tool, {{"count", 40}, {"size", 1'000'000}}), "output");
    expect_stopped_by(server->call(tool, {{"count", 2'000'000}, {"size", 1}}), "output");
    expect_healthy(*server);
  }
  expect_stopped_by(server->call("alias_flat", {{"count", 1'200'000}}), "output");
  EXPECT_TRUE(server->call("alias_flags", {{"count", 1'100'000}}).value("isError", false));
  EXPECT_LT(server->child().peak_memory(), before + 300 * mebibyte)
      << "a guest made the host hold what it does not have itself";
  expect_record({{"kind", "call"}, {"tool", "alias_strings"}, {"limit", "output"}});
}

TEST_F(A22, ManyAliasedListsAtOnceStayWithinBounds) {
  write("alias.wat", aliasing);
  const auto server = serve({"alias.wat"});
  expect_healthy(*server);
  const std::size_t before = server->child().peak_memory();
  std::vector<int> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(server->start_call("alias_strings", {{"count", 40}, {"size", 1'000'000}}));
  }
  for (const int id : calls) expect_stopped_by(server->await_answer(id)["result"], "output");
  EXPECT_LT(server->child().peak_memory(), before + 1'024 * mebibyte);
  expect_healthy(*server);
}

/// Gives a list or string with this pointer and this length, wherever that is.
const std::string lying = component_of(R"(
    (func (export "give") (param $pointer i32) (param $length i32) (result i32)
      (i32.store (i32.const 16) (local.get $pointer))
      (i32.store (i32.const 20) (local.get $length))
      (i32.const 16))
    ;; The place of the result itself is a lie.
    (func (export "nowhere") (param i32) (result i32) (local.get 0)))",
                                       R"((alias core export $i "memory" (core memory $mem))
  (func (export "text") (param "pointer" u32) (param "length" u32) (result string)
    (canon lift (core func $i "give") (memory $mem)))
  (func (export "utf16") (param "pointer" u32) (param "length" u32) (result string)
    (canon lift (core func $i "give") (memory $mem) string-encoding=utf16))
  (func (export "latin1") (param "pointer" u32) (param "length" u32) (result string)
    (canon lift (core func $i "give") (memory $mem) string-encoding=latin1+utf16))
  (func (export "bytes") (param "pointer" u32) (param "length" u32) (result (list u8)))"
                                       R"(
    (canon lift (core func $i "give") (memory $mem)))
  (func (export "longs") (param "pointer" u32) (param "length" u32) (result (list u64))
    (canon lift (core func $i "give") (memory $mem)))
  (func (export "texts") (param "pointer" u32) (param "length" u32) (result (list string))
    (canon lift (core func $i "give") (memory $mem)))
  (func (export "nowhere") (param "pointer" u32) (result string)
    (canon lift (core func $i "nowhere") (memory $mem))))");

TEST_F(A23, ListsThatEndWhereTheMemoryEndsAreRead) {
  write("lie.wat", lying);
  const auto server = serve({"lie.wat"});
  constexpr std::uint32_t end = 2 * 65'536;
  // Even numbers, since latin1+utf16 lies at even addresses. All of it is zeros.
  for (const std::uint32_t count : {0U, 2U, 4U}) {
    const std::map<std::string, std::pair<std::uint32_t, Json>> expected{
        {"text", {1, std::string(count, '\0')}},
        {"utf16", {2, std::string(count, '\0')}},
        {"latin1", {1, std::string(count, '\0')}},
        {"bytes", {1, to_base64(std::string(count, '\0'))}},
        {"longs", {8, std::vector<int>(count)}},
        {"texts", {8, std::vector<std::string>(count)}},
    };
    for (const auto& [type, what] : expected) {
      for (const std::uint32_t pointer : {1'024U, end - count * what.first}) {
        SCOPED_TRACE(fmt::format("{}: {} + {}", type, pointer, count));
        const Json result = server->call("lie_" + type, {{"pointer", pointer}, {"length", count}});
        ASSERT_FALSE(result.value("isError", false)) << result;
        EXPECT_EQ(result["structuredContent"], what.second);
      }
    }
  }
  expect_healthy(*server);
}

TEST_F(A23, ListsThatReachBeyondTheMemoryAreATrap) {
  write("lie.wat", lying);
  const auto server = serve({"lie.wat"});
  constexpr std::uint32_t end = 2 * 65'536;
  for (const std::string_view type : {"text", "utf16", "latin1", "bytes", "longs", "texts"}) {
    const std::string tool = fmt::format("lie_{}", type);
    SCOPED_TRACE(tool);
    const auto give = [&](std::uint32_t pointer, std::uint32_t length) {
      return server->call(tool, {{"pointer", pointer}, {"length", length}});
    };
    for (const auto& [pointer, length] :
         {std::pair{0U, 4'294'967'295U}, std::pair{0U, 2'147'483'648U}, std::pair{0U, 536'870'912U},
          std::pair{end, 1U}, std::pair{end - 8, 9U}, std::pair{4'294'967'288U, 8U},
          std::pair{4'294'967'288U, 16U}, std::pair{8U, 536'870'911U}}) {
      SCOPED_TRACE(fmt::format("{} + {}", pointer, length));
      // There, the highest bit says that a text of no characters is UTF-16.
      if (type == "latin1" && length == 2'147'483'648U) continue;
      const Json result = give(pointer, length);
      EXPECT_TRUE(result.value("isError", false)) << result.dump().substr(0, 300);
    }
    expect_healthy(*server);
  }
  // Addresses that do not fit the type.
  for (const std::string_view tool : {"lie_utf16", "lie_longs", "lie_texts"}) {
    expect_trapped(server->call(tool, {{"pointer", 17}, {"length", 1}}));
  }
  for (const std::uint32_t pointer : {1U, end, end - 4, 4'294'967'295U, 4'294'967'292U}) {
    expect_trapped(server->call("lie_nowhere", {{"pointer", pointer}}));
  }
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "lie_text"}, {"outcome", "trapped"}});
}

/// An allocator that says where the host is to write the arguments.
std::string allocator_that_gives(std::string_view address) {
  return fmt::format(R"((component
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) {})
      (func (export "length") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m))
    (func (export "length") (param "text" string) (result u32)
      (canon lift (core func $i "length") (memory $i "memory") (realloc (func $i "realloc"))))
    (func (export "numbers") (param "list" (list u64)) (result u32)
      (canon lift (core func $i "length") (memory $i "memory") (realloc (func $i "realloc"))))))",
                     address);
}

TEST_F(A23, AnAllocatorThatLiesDoesNotMakeTheHostWriteElsewhere) {
  const std::vector<std::string_view> allocators{
      "(i32.const 65535)", "(i32.const 65536)",  "(i32.const -1)",
      "(i32.const -8)",    "(i32.const 3)",      "unreachable",
      "(i32.const 65533)", "(i32.const 131072)", "(loop $again (br $again)) (i32.const 0)"};
  std::vector<std::string> words;
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    write(fmt::format("a{}.wat", i), allocator_that_gives(allocators[i]));
    words.push_back(fmt::format("a{}.wat", i));
  }
  const std::string last = fmt::format("a{}:limit=timeout=300ms", allocators.size() - 1);
  words.insert(words.end(), {"--grant", last});
  const auto server = serve(words);
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    SCOPED_TRACE(allocators[i]);
    const Json numbers = server->call(fmt::format("a{}_numbers", i), {{"list", {1, 2, 3}}});
    EXPECT_TRUE(numbers.value("isError", false)) << numbers;
    // A text needs no alignment, so the third address is an honest one for it.
    if (allocators[i] == "(i32.const 3)") continue;
    const Json text = server->call(fmt::format("a{}_length", i), {{"text", "some text"}});
    EXPECT_TRUE(text.value("isError", false)) << text;
  }
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "a2_numbers"}, {"outcome", "trapped"}});
}

TEST_F(A23, AnAllocatorMayGiveTheVeryEndOfTheMemory) {
  // Nine bytes of text, and three numbers of eight.
  write("text.wat", allocator_that_gives("(i32.const 65527)"));
  write("list.wat", allocator_that_gives("(i32.const 65512)"));
  const auto server = serve({"text.wat", "list.wat"});
  EXPECT_EQ(text_of(server->call("text_length", {{"text", "some text"}})), "9");
  EXPECT_EQ(text_of(server->call("list_numbers", {{"list", {1, 2, 3}}})), "3");
  expect_healthy(*server);
}

TEST_F(A24, TextThatIsNoUnicodeIsATrap) {
  struct Case {
    std::string_view name;
    std::string_view type;
    std::string_view encoding;
    std::string_view bytes;
    int length;
  };
  const std::vector<Case> cases{
      {"lone-byte", "string", "utf8", "\\ff", 1},
      {"cut-off", "string", "utf8", "\\e2\\82", 2},
      {"overlong", "string", "utf8", "\\c0\\af", 2},
      {"surrogate", "string", "utf8", "\\ed\\a0\\80", 3},
      {"too-high", "string", "utf8", "\\f4\\90\\80\\80", 4},
      {"half", "string", "utf16", "\\00\\d8", 1},
      {"reversed", "string", "utf16", "\\00\\dc\\00\\d8", 2},
      {"list-of-bad", "(list string)", "utf8", "\\28\\00\\00\\00\\01\\00\\00\\00\\ff", 1},
  };
  std::string module;
  std::string lifted = R"((alias core export $i "memory" (core memory $mem)))";
  int at = 32;
  for (const Case& one : cases) {
    // The element of the list points just behind itself.
    const std::string bytes = one.name == "list-of-bad"
                                  ? fmt::format("\\{:02x}\\{:02x}\\00\\00\\01\\00\\00\\00\\ff",
                                                (at + 8) & 255, (at + 8) >> 8)
                                  : std::string(one.bytes);
    module += fmt::format(R"((data (i32.const {}) "{}")
      (func (export "{}") (result i32)
        (i32.store (i32.const 16) (i32.const {})) (i32.store (i32.const 20) (i32.const {}))
        (i32.const 16))
    )",
                          at, bytes, one.name, at, one.length);
    lifted += fmt::format(R"(
  (func (export "{0}") (result {1})
    (canon lift (core func $i "{0}") (memory $mem) string-encoding={2})))",
                          one.name, one.type, one.encoding);
    at += 32;
  }
  write("text.wat", component_of(module, lifted));
  const auto server = serve({"text.wat"});
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    expect_trapped(server->call(fmt::format("text_{}", one.name)));
  }
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "text_surrogate"}, {"outcome", "trapped"}});
}

TEST_F(A24, ValuesThatNoTypeHasAreATrapOrAreCutToTheType) {
  write("value.wat", R"((component
    (type $color' (enum "red" "green"))
    (import "a-color" (type $color (eq $color')))
    (type $shape' (variant (case "circle" u32) (case "dot")))
    (import "a-shape" (type $shape (eq $shape')))
    (type $wish' (flags "a" "b"))
    (import "a-wish" (type $wish (eq $wish')))
    (core module $m
      (memory (export "memory") 1)
      (func (export "same") (param i32) (result i32) (local.get 0))
      (func (export "stored") (param i32) (result i32)
        (i32.store8 (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (i32.const 5))
        (i32.const 16)))
    (core instance $i (instantiate $m))
    (func (export "color") (param "n" u32) (result $color) (canon lift (core func $i "same")))
    (func (export "letter") (param "n" u32) (result char) (canon lift (core func $i "same")))
    (func (export "truth") (param "n" u32) (result bool) (canon lift (core func $i "same")))
    (func (export "byte") (param "n" u32) (result u8) (canon lift (core func $i "same")))
    (func (export "signed") (param "n" u32) (result s8) (canon lift (core func $i "same")))
    (func (export "wish") (param "n" u32) (result $wish) (canon lift (core func $i "same")))
    (func (export "shape") (param "n" u32) (result $shape)
      (canon lift (core func $i "stored") (memory $i "memory")))
    (func (export "maybe") (param "n" u32) (result (option u32))
      (canon lift (core func $i "stored") (memory $i "memory")))
    (func (export "outcome") (param "n" u32) (result (result u32 (error u32)))
      (canon lift (core func $i "stored") (memory $i "memory")))))");
  const auto server = serve({"value.wat"});
  const auto call = [&](std::string_view type, std::uint32_t number) {
    return server->call(fmt::format("value_{}", type), {{"n", number}});
  };
  for (const std::uint32_t number : {2U, 255U, 65'536U, 4'294'967'295U}) {
    expect_trapped(call("color", number));
  }
  for (const std::uint32_t number : {0xd800U, 0xdfffU, 0x110000U, 4'294'967'295U}) {
    expect_trapped(call("letter", number));
  }
  for (const std::uint32_t number : {2U, 128U, 255U}) {
    expect_trapped(call("shape", number));
    expect_trapped(call("maybe", number));
    expect_trapped(call("outcome", number));
  }
  // The canonical ABI cuts these to the width of their type.
  EXPECT_EQ(text_of(call("truth", 256)), "true");
  EXPECT_EQ(text_of(call("byte", 0x1234)), "52");
  EXPECT_EQ(text_of(call("signed", 0xff)), "-1");
  EXPECT_EQ(text_of(call("wish", 4'294'967'295U)), R"(["a","b"])");
  expect_healthy(*server);
  expect_record({{"kind", "call"}, {"tool", "value_color"}, {"outcome", "trapped"}});
}

}  // namespace
}  // namespace belljar::attacks
