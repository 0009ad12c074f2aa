#include "policy/path_readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <random>

#include "policy/path_pattern.h"
#include "support/crypto.h"
#include "support/text.h"

namespace belljar::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> readings(std::string_view path) {
  const auto found = PathReadings::of(path);
  if (!found) return {"refused: " + found.error().message()};
  return {found->all().begin(), found->all().end()};
}

TEST(PathReadings, OfAnOrdinaryPathThereIsOne) {
  for (const char* path : {"/", "/v1/users/7", "/a-b_c~d", "/a:b@c", "/a+b,c=d!e", "/v1.2/x.y.z",
                           "/matrix/(1)/$x&y'z*"}) {
    EXPECT_THAT(readings(path), ElementsAre(path));
  }
  EXPECT_THAT(readings(""), ElementsAre("/"));
  EXPECT_THAT(readings("/a%20b/caf%C3%A9"), ElementsAre("/a b/café"));
}

TEST(PathReadings, TheFirstIsTheStandards) {
  EXPECT_EQ(readings("/a/../b").front(), "/b");
  EXPECT_EQ(readings("/%61/%2e%2e/b%20c").front(), "/b c");
  EXPECT_EQ(readings("/a;x/b").front(), "/a;x/b");
  EXPECT_EQ(readings("/a%2541").front(), "/a%41");
  EXPECT_EQ(readings("/a%2Fb").front(), "/a%2Fb");
}

TEST(PathReadings, HaveEachStepThatAServerMayTake) {
  EXPECT_THAT(readings("/a;x=1/b"), Contains("/a/b"));
  EXPECT_THAT(readings("/v1/;/../admin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1/..;/admin"), Contains("/admin"));
  EXPECT_THAT(readings("/%2561dmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1%2f..%2fadmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1%252f..%252fadmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1/%c0%ae%c0%ae%c0%afadmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1/%e0%80%ae%e0%80%ae/admin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1/..%5cadmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1//../admin"), Contains("/admin"));
  EXPECT_THAT(readings("//host/admin"), Contains("/admin"));
  EXPECT_THAT(readings("/admin%00.png"), Contains("/admin"));
  EXPECT_THAT(readings("/admin%3fx"), Contains("/admin"));
  EXPECT_THAT(readings("/admin%23x"), Contains("/admin"));
  EXPECT_THAT(readings("/admin%20"), Contains("/admin"));
  EXPECT_THAT(readings("/admin./x"), Contains("/admin/x"));
  EXPECT_THAT(readings("/admin::$DATA"), Contains("/admin"));
  EXPECT_THAT(readings("/%ef%bd%81dmin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1/%ef%bc%8e%ef%bc%8e/admin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1%e2%88%95..%e2%88%95admin"), Contains("/admin"));
  EXPECT_THAT(readings("/v1%25u2215..%25u2215admin"), Contains("/admin"));
  EXPECT_THAT(readings("/%61dmin"), Contains("/%61dmin")) << "some compare what is not decoded";
}

TEST(PathReadings, AreBounded) {
  EXPECT_THAT(readings("/%25252525252561"), ElementsAre(HasSubstr("in so many ways")));
  std::string riddle = "/";
  for (int i = 0; i < 400; ++i) riddle += "a;b%252e%2f%5c..;/.//";
  EXPECT_THAT(readings(riddle), ElementsAre(HasSubstr("in so many ways")));
  EXPECT_EQ(readings("/" + std::string(8'000, 'a')).size(), 1U);
  EXPECT_EQ(readings("/" + std::string(2'000, 'a') + "%20%C3%A9").size(), 1U);
}

TEST(PathReadings, OfWhatIsNoPathThereAreNone) {
  for (const char* path : {"a/b", "*", "http://x/", "/%", "/%2", "/%zz", "/a%u0041"}) {
    EXPECT_THAT(readings(path).front(), HasSubstr("refused: ")) << path;
  }
}

// Servers, written down anew: what they do has to be among the readings whatever they do first.

using Step = std::function<std::string(const std::string&)>;

std::string decode(const std::string& text, bool slashes) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte =
        text[i] == '%' && i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (byte && (slashes || (*byte != "/" && *byte != "\\"))) {
      out += *byte;
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string drop_parameters(const std::string& text) {
  std::string out;
  bool dropping = false;
  for (const char c : text) {
    dropping = c == '/' ? false : dropping || c == ';';
    if (!dropping) out += c;
  }
  return out;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    if (!to.empty() && to.find(from) != std::string_view::npos) at += to.size();
  }
  return text;
}

/// A stack of names: `..` takes one off.
std::string resolve(const std::string& text) {
  std::vector<std::string> stack;
  std::string name;
  const auto close = [&](bool last) {
    if (name == "..") {
      if (!stack.empty()) stack.pop_back();
      if (last) stack.emplace_back();
    } else if (name != ".") {
      stack.push_back(name);
    } else if (last) {
      stack.emplace_back();
    }
    name.clear();
  };
  for (const char c : text.substr(1)) {
    if (c == '/') {
      close(false);
    } else {
      name += c;
    }
  }
  close(true);
  std::string out;
  for (const std::string& kept : stack) out += "/" + kept;
  return out.empty() ? "/" : out;
}

std::string trim_names(const std::string& text) {
  std::string out;
  for (const std::string_view part : split(text, '/')) {
    std::string name(part);
    while (!name.empty() && (name.back() == ' ' || name.back() == '.') && name != "." &&
           name != "..") {
      name.pop_back();
    }
    if (!out.empty() || part.data() != text.data()) out += '/';
    out += name;
  }
  return out;
}

const std::vector<Step>& steps() {
  static const std::vector<Step> all{
      [](const std::string& text) { return decode(text, true); },
      [](const std::string& text) { return decode(text, false); },
      drop_parameters,
      [](const std::string& text) { return replace_all(text, "\\", "/"); },
      [](const std::string& text) { return replace_all(text, "//", "/"); },
      resolve,
      trim_names,
      [](const std::string& text) { return text.substr(0, text.find('\0')); },
      [](const std::string& text) { return text.substr(0, text.find_first_of("?#")); },
      [](const std::string& text) { return replace_all(text, "\xC0\xAF", "/"); },
  };
  return all;
}

std::string random_path(std::mt19937& random) {
  static constexpr std::array<std::string_view, 26> pieces{
      "/",      "v1",  "admin", "a",      ";",         ";x=1", "..",   ".",      "%2e",
      "%2e%2e", "%2f", "%5c",   "%252f",  "%2561dmin", "%61",  "//",   "..;",    "%3b",
      "%00",    "%3f", "%20",   "%c0%af", "%2525",     ".",    "/v1/", "/admin/"};
  std::string path = random() % 2 == 0 ? "/v1/" : "/";
  const std::size_t count = 1 + random() % 7;
  for (std::size_t i = 0; i < count; ++i) path += pieces[random() % pieces.size()];
  return path;
}

TEST(PathReadings, A83_HaveWhateverAServerMakesOfAPath) {
  std::mt19937 random(20'261'129);  // NOLINT: the same paths each time
  const auto allowed = *PathPattern::parse("/v1/*");
  const auto closed = *PathPattern::parse("/admin/*");
  int decided = 0;
  for (int i = 0; i < 1'500; ++i) {
    const std::string path = random_path(random);
    const auto found = PathReadings::of(path);
    if (!found) continue;
    const auto all = found->all();
    const bool goes_out = std::all_of(all.begin(), all.end(), [&](const std::string& reading) {
      return allowed.matches(reading);
    });
    const bool is_closed = std::any_of(all.begin(), all.end(), [&](const std::string& reading) {
      return closed.may_match(reading);
    });
    for (int server = 0; server < 40; ++server) {
      std::string read = path;
      bool decodes = false;
      const std::size_t count = 1 + random() % 5;
      for (std::size_t step = 0; step < count; ++step) {
        const std::size_t which = random() % steps().size();
        decodes = decodes || which < 2;
        read = steps()[which](read);
        if (read.empty()) read = "/";
      }
      if (!decodes) read = decode(read, false);
      if (goes_out) {
        ++decided;
        EXPECT_TRUE(allowed.matches(read)) << path << " is read as " << read;
      }
      if (closed.matches(read)) {
        ++decided;
        EXPECT_TRUE(is_closed) << path << " is read as " << read;
      }
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(decided, 5'000) << "the paths say too little";
}

}  // namespace
}  // namespace belljar::policy
