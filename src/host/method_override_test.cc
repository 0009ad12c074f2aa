#include "host/method_override.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> by_header(std::string name, std::string value) {
  const std::vector<engine::HttpHeader> headers{{std::move(name), std::move(value)}};
  return overriding_methods(headers, "/path");
}

std::vector<std::string> by_query(std::string_view query) {
  return overriding_methods({}, "/path?" + std::string(query));
}

TEST(MethodOverrideTest, A47HeadersThatNameAnotherMethodAreFoundInEverySpelling) {
  for (const char* const name :
       {"x-http-method", "x-http-method-override", "x-method-override", "X-HTTP-Method",
        "x_http_method_override", "x.http.method", "http-method-override", "x-method",
        "x-original-method", "x-rest-method", "xmethodoverride"}) {
    for (const char* const value : {"DELETE", "delete", " Delete ", "\"DELETE\"", "DELETE;q=1"}) {
      const auto found = by_header(name, value);
      ASSERT_FALSE(found.empty()) << name << ": " << value;
      EXPECT_EQ(found.front(), "DELETE");
    }
  }
  EXPECT_THAT(by_header("x-http-method", "GET, DELETE"), ElementsAre("GET", "DELETE"));
  EXPECT_THAT(by_header("x-http-method-override", "frobnicate"), ElementsAre("FROBNICATE"));
}

TEST(MethodOverrideTest, HeadersThatSayMethodAndMeanSomethingElseAreLeftAlone) {
  EXPECT_THAT(by_header("x-payment-method", "card"), IsEmpty());
  EXPECT_THAT(by_header("access-control-request-method", "DELETE"), IsEmpty());
  EXPECT_THAT(by_header("x-test", "DELETE"), IsEmpty());
}

TEST(MethodOverrideTest, A47TheQueryIsReadAsServersReadIt) {
  for (const char* const query :
       {"_method=DELETE", "a=b&_method=delete", "a=b;_method=DELETE", "%5Fmethod=DELETE",
        "_m%65thod=DELETE", "_METHOD=DELETE", "%255fmethod=%44ELETE", "_method[]=DELETE",
        "_method%5B%5D=DELETE", "a?_method=DELETE", "_HttpMethod=DELETE", "method=delete",
        "http_method=DELETE", "X-HTTP-Method-Override=DELETE", "_method=%20DELETE"}) {
    EXPECT_THAT(by_query(query), ElementsAre("DELETE")) << query;
  }
}

TEST(MethodOverrideTest, QueriesThatMeanSomethingElseAreLeftAlone) {
  for (const char* const query : {"", "q=_method", "method=flickr.photos.search",
                                  "payment_method=card", "method", "q=DELETE", "method="}) {
    EXPECT_THAT(by_query(query), IsEmpty()) << query;
  }
}

bool found_in(std::string_view body, std::size_t size = 1'000) {
  OverrideScanner scanner({"DELETE", "PUT"});
  for (std::size_t at = 0; at < body.size(); at += size) {
    static_cast<void>(scanner.look(body.substr(at, size)));
  }
  return scanner.finish();
}

TEST(MethodOverrideTest, A47FormsAndObjectsThatNameAMethodAreFoundHoweverTheyAreCut) {
  for (const char* const body :
       {"_method=DELETE",
        "a=b&_method=PUT&c=d",
        "%5Fmethod=PUT",
        "_m%65thod=x",
        "_METHOD=x",
        "_method[]=PUT",
        "_method%5B%5D=PUT",
        "_HttpMethod=PATCH",
        "method=delete",
        "a=b&method=PUT",
        "X-HTTP-Method-Override=PUT",
        "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--\r\n",
        "--x\r\nContent-Disposition: form-data; name=_method\r\n\r\nDELETE\r\n--x--\r\n",
        R"({"a": 1, "_method": "DELETE"})",
        R"({"_method":"PUT"})",
        "{'_method': 1}",
        R"({"\u005fmethod":"DELETE"})",
        R"({"_metho\u0064":"PUT"})",
        R"({"a":{"\u005F\u006Dethod" : "PUT"}})",
        R"("{\"_method\":\"PUT\"}")",
        "--x\r\nContent-Disposition: form-data; name=\"_met\\hod\"\r\n\r\nDELETE\r\n--x--\r\n"}) {
    const std::string_view text(body);
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{5}, text.size()}) {
      EXPECT_TRUE(found_in(text, size)) << body << " in pieces of " << size;
    }
  }
}

TEST(MethodOverrideTest, BodiesThatMeanSomethingElseAreLeftAlone) {
  for (const char* const body :
       {"", "payment_method=card", R"({"payment_method": "DELETE"})", "method=POST",
        "use the _method of it, or method DELETE", "self._method(x)", "100%", "%", "%5", "%5F",
        "a_method=b", "_methods=b", R"({"payment\u005fmethod":"DELETE"})", R"(\)", R"(\u)",
        R"(\u005)", R"(\\u005fmethod=PUT)"}) {
    for (const std::size_t size : {1U, 3U, 1'000U}) {
      EXPECT_FALSE(found_in(body, size)) << body;
    }
  }
  EXPECT_FALSE(found_in(std::string(100'000, '_') + "method=DELETE"));
}

TEST(MethodOverrideTest, ARuleOfAnyMethodIsToldApartByThoseThatAreTried) {
  const auto tried = methods_to_try();
  for (const char* const method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    EXPECT_NE(std::find(tried.begin(), tried.end(), method), tried.end()) << method;
  }
}

}  // namespace
}  // namespace belljar::host
