// A83: spellings of a path that some server reads as another. The table of them in full is in
// src/policy/path_rules_test.cc; here are those that an example's URL library lets through.

#include <fmt/format.h>

#include <mutex>

#include "network_attack.h"

namespace belljar::attacks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PathAttack : public NetworkAttack {
 protected:
  std::string url(std::string_view path) const {
    return fmt::format("http://a.test:{}{}", target_.port(), path);
  }
  /// What is allowed and what is denied of the host, as lines of a policy's rules.
  [[nodiscard]] std::unique_ptr<Server> serve_paths(std::string_view allowed,
                                                    std::string_view denied) const {
    const std::string host = fmt::format("      - host: \"http://a.test:{}\"\n", target_.port());
    return serve_fetch(
        fmt::format("{}{}        cidr: 127.0.0.1/32\n", host, allowed),
        denied.empty() ? std::string() : fmt::format("    deny:\n{}{}", host, denied));
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::mutex mutex_;
  std::vector<std::string> requests_;
  RawServer target_{RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                         &requests_, &mutex_)};
};

using A83 = PathAttack;

TEST_F(A83, NoSpellingLeadsOutOfWhatIsAllowed) {
  const auto server = serve_paths("        paths: [\"/v1/*\"]\n", "");
  for (const char* const path :
       {"/v1/..;/admin", "/v1/;/..;/admin", "/v1/..%2fadmin", "/v1/..%5cadmin", "/v1/%252e%252e/x",
        "/v1/..%252fadmin", "/v1/%c0%ae%c0%ae/admin", "/v1/..%c0%afadmin", "/v1/..%3b/admin",
        "/v1/%ef%bc%8e%ef%bc%8e/admin", "/v1/..%20/admin", "/v1/..%00/admin", "/%761/a", "/v1%2fa",
        "//v1/a", "/v1;x/a"}) {
    expect_refused(*server, url(path), "was not allowed to do what it tried");
    const Json record =
        expect_record({{"kind", "refusal"}, {"what", fmt::format("GET {}", url(path))}});
    EXPECT_THAT(record.value("reason", ""),
                testing::AnyOf(HasSubstr("in different ways"), HasSubstr("not the path")))
        << path;
  }
  EXPECT_THAT(requests(), IsEmpty());
  for (const char* const path : {"/v1/a;x=1", "/v1/group%2Fname", "/v1/a%20b", "/v1/caf%C3%A9"}) {
    const Json result = get(*server, url(path));
    EXPECT_FALSE(is_error(result)) << path << ": " << result;
  }
  EXPECT_THAT(requests(), SizeIs(4));
  expect_unharmed(*server);
}

TEST_F(A83, NoSpellingLeadsAroundADenial) {
  const auto server = serve_paths("", "        paths: [\"/admin/*\", \"/v1/secret\"]\n");
  for (const char* const path :
       {"/admin/users", "/admin", "/ADMIN/users", "/admin;x/users", "/%61dmin/users",
        "/%2561dmin/users", "/admin%2fusers", "/x;y/..;/admin/users", "//admin/users",
        "/admin%20/users", "/admin./users", "/admin%00/users", "/%ef%bd%81dmin/users",
        "/v1/secret;x", "/v1/SECRET/", "/v1/;/secret", "/v1/secret%3fa"}) {
    expect_refused(*server, url(path), "was not allowed to do what it tried");
    expect_record({{"kind", "refusal"}, {"what", fmt::format("GET {}", url(path))}});
  }
  EXPECT_THAT(requests(), IsEmpty());
  for (const char* const path : {"/administrators", "/v1/secrets", "/v1/a;x=1"}) {
    const Json result = get(*server, url(path));
    EXPECT_FALSE(is_error(result)) << path << ": " << result;
  }
  EXPECT_THAT(requests(), SizeIs(3));
  expect_unharmed(*server);
}

}  // namespace
}  // namespace belljar::attacks
