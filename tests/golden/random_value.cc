#include "random_value.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "support/json.h"

namespace belljar::golden {
namespace {

using engine::Member;
using engine::Primitive;
using engine::TypeDefinition;
using engine::TypeIndex;
using engine::TypeKind;

constexpr std::uint64_t exact = (std::uint64_t{1} << 53) - 1;
constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4. Written here again so that the test does not believe the code it tests.
std::string base64(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? base64_alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

void append_utf8(std::string& text, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | point >> 6);
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3F));
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string joined(const std::vector<std::string>& entries, char open, char close) {
  std::string text(1, open);
  for (std::size_t i = 0; i < entries.size(); ++i) text += (i > 0 ? "," : "") + entries[i];
  return text + close;
}

}  // namespace

RandomValue RandomValues::value(const engine::Type& type) {
  if (const auto* name = std::get_if<Primitive>(&type)) return primitive(*name);
  const TypeDefinition& definition = description_.types[std::get<TypeIndex>(type).value];
  switch (definition.kind) {
    case TypeKind::record: return record(definition);
    case TypeKind::variant: return variant(definition);
    case TypeKind::enumeration: {
      const std::string& name = definition.members[below(definition.members.size())].name;
      return {json_string(name), json_string(name), name + "()"};
    }
    case TypeKind::flags: return flags(definition);
    case TypeKind::tuple: {
      std::vector<std::string> inputs;
      std::vector<std::string> outputs;
      std::string canonical = "(";
      for (const Member& member : definition.members) {
        const RandomValue item = value(*member.type);
        inputs.push_back(item.input);
        outputs.push_back(item.output);
        canonical += item.canonical + ",";
      }
      return {join(std::move(inputs), '[', ']', false), joined(outputs, '[', ']'), canonical + ")"};
    }
    case TypeKind::list: return list(*definition.element);
    case TypeKind::map: return map(*definition.other, *definition.element);
    case TypeKind::option: return option(definition);
    case TypeKind::result: return result(definition);
    case TypeKind::stream:
    case TypeKind::future:
    case TypeKind::own:
    case TypeKind::borrow:
    case TypeKind::resource: break;
  }
  return {};
}

RandomValue RandomValues::primitive(Primitive primitive) {
  switch (primitive) {
    case Primitive::boolean:
      return chance(2) ? RandomValue{"true", "true", "t"} : RandomValue{"false", "false", "f"};
    case Primitive::u8: return integer(8, false);
    case Primitive::u16: return integer(16, false);
    case Primitive::u32: return integer(32, false);
    case Primitive::u64: return integer(64, false);
    case Primitive::s8: return integer(8, true);
    case Primitive::s16: return integer(16, true);
    case Primitive::s32: return integer(32, true);
    case Primitive::s64: return integer(64, true);
    case Primitive::f32: return floating<float, std::uint32_t>();
    case Primitive::f64: return floating<double, std::uint64_t>();
    case Primitive::character: return character();
    case Primitive::string: return string();
  }
  return {};
}

RandomValue RandomValues::integer(unsigned bits, bool is_signed) {
  // Any width is as likely as any other, and the ends of the range come up often.
  std::uint64_t number = random_() >> below(64);
  if (chance(6)) number = ~std::uint64_t{0};
  if (chance(6)) number = exact + below(3);
  const unsigned magnitude_bits = is_signed ? bits - 1 : bits;
  if (magnitude_bits < 64) number &= (std::uint64_t{1} << magnitude_bits) - 1;
  // -1 - number reaches the smallest number too.
  const bool negative = is_signed && chance(2);
  const std::string digits = negative ? fmt::format("{}", -1 - static_cast<std::int64_t>(number))
                                      : fmt::format("{}", number);
  const std::uint64_t magnitude = negative ? number + 1 : number;
  RandomValue value{digits, magnitude > exact ? json_string(digits) : digits, digits};
  if (chance(4)) value.input = json_string(digits);
  if (magnitude <= exact && chance(6)) value.input = digits + ".0";
  return value;
}

template <typename Float, typename Bits>
RandomValue RandomValues::floating() {
  Float number = std::bit_cast<Float>(static_cast<Bits>(random_()));
  if (chance(3)) number = static_cast<Float>(static_cast<std::int64_t>(below(2'001)) - 1'000) / 8;
  if (chance(8)) number = chance(2) ? std::numeric_limits<Float>::infinity() : Float{-0.0};
  if (std::isnan(number)) return {"\"NaN\"", "\"NaN\"", "nan"};
  const std::string canonical =
      fmt::format("{:0{}x}", std::bit_cast<Bits>(number), sizeof(Bits) * 2);
  if (std::isinf(number)) {
    const std::string name = number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return {name, name, canonical};
  }
  // The shortest digits that mean this very number.
  const std::string digits = fmt::format("{}", number);
  return {chance(5) ? json_string(digits) : digits, digits, canonical};
}

std::uint32_t RandomValues::code_point() {
  switch (below(4)) {
    case 0: return static_cast<std::uint32_t>(below(0x80));
    case 1: return static_cast<std::uint32_t>(0x80 + below(0x780));
    case 2: return static_cast<std::uint32_t>(0x10000 + below(0x100000));
    default: {
      const auto point = static_cast<std::uint32_t>(0x800 + below(0xF800 - 0x800));
      // Over the gap of the surrogates.
      return point < 0xD800 ? point : point + 0x800;
    }
  }
}

std::string RandomValues::spell(const std::vector<std::uint32_t>& code_points) {
  std::string text = "\"";
  for (const std::uint32_t point : code_points) {
    const bool must_escape = point < 0x20 || point == '"' || point == '\\';
    if (!must_escape && !chance(8)) {
      append_utf8(text, point);
    } else if (point < 0x10000) {
      text += fmt::format("\\u{:04x}", point);
    } else {
      const std::uint32_t rest = point - 0x10000;
      text += fmt::format("\\u{:04X}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
    }
  }
  return text + '"';
}

RandomValue RandomValues::character() {
  const std::uint32_t point = code_point();
  std::string utf8;
  append_utf8(utf8, point);
  return {spell({point}), json_string(utf8), fmt::format("c{:x}", point)};
}

RandomValue RandomValues::string() {
  std::vector<std::uint32_t> points(below(6));
  for (std::uint32_t& point : points) point = code_point();
  std::string utf8;
  for (const std::uint32_t point : points) append_utf8(utf8, point);
  return {spell(points), json_string(utf8), "\"" + hexadecimal(utf8) + "\""};
}

RandomValue RandomValues::bytes() {
  std::vector<std::uint8_t> bytes(below(chance(8) ? 300 : 8));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
  std::vector<std::string> numbers;
  std::string canonical = "[";
  for (const std::uint8_t byte : bytes) {
    numbers.push_back(fmt::format("{}", byte));
    canonical += fmt::format("{},", byte);
  }
  const std::string text = json_string(base64(bytes));
  return {chance(3) ? join(std::move(numbers), '[', ']', false) : text, text, canonical + "]"};
}

RandomValue RandomValues::list(const engine::Type& element) {
  if (const auto* name = std::get_if<Primitive>(&element); name && *name == Primitive::u8) {
    return bytes();
  }
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string canonical = "[";
  for (std::uint64_t count = below(5); count > 0; --count) {
    const RandomValue item = value(element);
    inputs.push_back(item.input);
    outputs.push_back(item.output);
    canonical += item.canonical + ",";
  }
  return {join(std::move(inputs), '[', ']', false), joined(outputs, '[', ']'), canonical + "]"};
}

RandomValue RandomValues::map(const engine::Type& key, const engine::Type& value_type) {
  // The guest keeps its maps sorted: strings by their bytes, the rest by number.
  const Primitive kind = std::get<Primitive>(key);
  struct Entry {
    RandomValue key;
    RandomValue value;
  };
  std::map<std::pair<double, std::string>, Entry> entries;
  for (std::uint64_t count = below(5); count > 0; --count) {
    Entry entry{value(key), value(value_type)};
    std::pair<double, std::string> order{0, entry.key.canonical};
    if (kind == Primitive::character) {
      order.first = static_cast<double>(std::stoul(entry.key.canonical.substr(1), nullptr, 16));
    } else if (kind == Primitive::boolean) {
      order.first = entry.key.canonical == "t" ? 1 : 0;
    } else if (kind != Primitive::string) {
      order.first = std::stod(entry.key.canonical);
      // Beyond 2^53 two numbers may be one double; the first of them stays.
      if (std::abs(order.first) > static_cast<double>(exact)) order.second.clear();
    }
    entries.emplace(std::move(order), std::move(entry));
  }
  const bool object = kind == Primitive::string;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string canonical = "<";
  for (const auto& [order, entry] : entries) {
    if (object) {
      inputs.push_back(fmt::format("{}{}:{}", entry.key.input, space(), entry.value.input));
      outputs.push_back(fmt::format("{}:{}", entry.key.output, entry.value.output));
    } else {
      inputs.push_back(join({entry.key.input, entry.value.input}, '[', ']', false));
      outputs.push_back(fmt::format("[{},{}]", entry.key.output, entry.value.output));
    }
    canonical += entry.key.canonical + ":" + entry.value.canonical + ",";
  }
  const char open = object ? '{' : '[';
  const char close = object ? '}' : ']';
  return {join(std::move(inputs), open, close, true), joined(outputs, open, close),
          canonical + ">"};
}

RandomValue RandomValues::record(const TypeDefinition& definition) {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string canonical = "{";
  for (const Member& field : definition.members) {
    const RandomValue item = value(*field.type);
    const std::string name = json_string(field.name);
    const auto* index = std::get_if<TypeIndex>(&*field.type);
    const bool is_option =
        index != nullptr && description_.types[index->value].kind == TypeKind::option;
    // A field of type option may be left out.
    if (!(is_option && item.canonical == "-" && chance(2))) {
      inputs.push_back(fmt::format("{}{}:{}", name, space(), item.input));
    }
    outputs.push_back(fmt::format("{}:{}", name, item.output));
    canonical += field.name + "=" + item.canonical + ",";
  }
  return {join(std::move(inputs), '{', '}', true), joined(outputs, '{', '}'), canonical + "}"};
}

RandomValue RandomValues::variant(const TypeDefinition& definition) {
  const Member& member = definition.members[below(definition.members.size())];
  const std::string tag = "\"tag\":" + json_string(member.name);
  if (!member.type) {
    std::vector<std::string> entries{tag};
    if (chance(4)) entries.emplace_back("\"val\":null");
    return {join(std::move(entries), '{', '}', true), "{" + tag + "}", member.name + "()"};
  }
  const RandomValue payload = value(*member.type);
  return {join({tag, "\"val\":" + payload.input}, '{', '}', true),
          fmt::format("{{{},\"val\":{}}}", tag, payload.output),
          fmt::format("{}({})", member.name, payload.canonical)};
}

RandomValue RandomValues::flags(const TypeDefinition& definition) {
  std::vector<std::string> names;
  std::string canonical = "{";
  for (const Member& member : definition.members) {
    if (!chance(2)) continue;
    names.push_back(json_string(member.name));
    canonical += member.name + "|";
  }
  const std::string output = joined(names, '[', ']');
  return {join(std::move(names), '[', ']', true), output, canonical + "}"};
}

RandomValue RandomValues::option(const TypeDefinition& definition) {
  if (chance(3)) return {"null", "null", "-"};
  RandomValue inner = value(*definition.element);
  inner.canonical.insert(0, 1, '+');
  const auto* index = std::get_if<TypeIndex>(&*definition.element);
  if (index != nullptr && description_.types[index->value].kind == TypeKind::option) {
    inner.input = join({"\"some\":" + inner.input}, '{', '}', false);
    inner.output = fmt::format("{{\"some\":{}}}", inner.output);
  }
  return inner;
}

RandomValue RandomValues::result(const TypeDefinition& definition) {
  const bool ok = chance(2);
  const std::string name = ok ? "ok" : "err";
  const auto& type = ok ? definition.element : definition.other;
  const RandomValue inner = type ? value(*type) : RandomValue{"null", "null", ""};
  return {join({fmt::format("\"{}\":{}", name, inner.input)}, '{', '}', false),
          fmt::format("{{\"{}\":{}}}", name, inner.output),
          fmt::format("{}({})", name, inner.canonical)};
}

std::string_view RandomValues::space() {
  constexpr std::array<std::string_view, 4> spaces{" ", "\n", "\t", "\r\n  "};
  return chance(10) ? spaces[below(spaces.size())] : std::string_view();
}

std::string RandomValues::join(std::vector<std::string> entries, char open, char close,
                               bool shuffled) {
  if (shuffled) {
    for (std::size_t i = entries.size(); i > 1; --i) std::swap(entries[i - 1], entries[below(i)]);
  }
  std::string text(1, open);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    text += i > 0 ? "," : "";
    text += space();
    text += entries[i];
  }
  text += space();
  return text + close;
}

}  // namespace belljar::golden
