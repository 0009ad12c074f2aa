#include "policy/grant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/rules.h"
#include "testing/temporary_folder.h"

namespace belljar::policy {
namespace {

using ::testing::HasSubstr;

constexpr const char* folder = "/home/me";

/// A grant's canonical text, or what is wrong with it.
std::string canonical(std::string_view text) {
  const auto grant = parse_grant(text, folder);
  return grant ? grant->text() : "error: " + grant.error().describe();
}

/// The document that a grant alone makes, read from what is kept of it.
Document applied(std::string_view text) {
  const auto grant = parse_grant(text, folder);
  EXPECT_TRUE(grant) << text << ": " << grant.error().describe();
  Document document;
  if (grant) {
    const auto done = apply_grant(document, *grant);
    EXPECT_TRUE(done) << grant->text() << ": " << done.error().describe();
  }
  return document;
}

StorageRule folder_of(std::string_view text) {
  const Document document = applied(text);
  return document.storage.empty() ? StorageRule{} : document.storage.front();
}

TEST(Grants, AFolderIsReadOnlyUnlessItSaysMore) {
  EXPECT_EQ(canonical("storage=data"), "storage=/home/me/data:/data:ro");
  EXPECT_EQ(canonical("storage=./data/"), "storage=/home/me/data:/data:ro");
  EXPECT_EQ(canonical("storage=/srv/x:rw"), "storage=/srv/x:/srv/x:rw");
  EXPECT_EQ(canonical("storage=/srv/x:/in:rw"), "storage=/srv/x:/in:rw");
  EXPECT_EQ(canonical("storage=../shared:/in:ro"), "storage=/home/shared:/in:ro");
  EXPECT_EQ(folder_of("storage=data").access, (Access{true, false}));
  EXPECT_EQ(folder_of("storage=data:rw").access, (Access{true, true}));
  EXPECT_FALSE(folder_of("storage=data:rw").hardlinks);
}

TEST(Grants, AFolderIsTheSameAfterItWasKeptAndReadAgain) {
  for (const char* text :
       {"storage=data", "storage=a b", "storage=/", "storage=.", "storage=/a:/b:/c", "storage=C:/x",
        "storage=é", "storage=a=b", "storage=/srv/a,b;c"}) {
    const StorageRule once = folder_of(text);
    const Grant kept = *parse_grant(text, folder);
    const StorageRule again = folder_of(kept.text());
    EXPECT_EQ(again, once) << text << " is kept as " << kept.text();
    EXPECT_EQ(canonical(kept.text()), kept.text());
  }
}

TEST(Grants, APathThatComesToTheRootAloneIsNotKeptAsTheWholeHost) {
  EXPECT_EQ(canonical("network=api.example/"), "network=api.example");
  for (const char* text : {"network=api.example/.", "network=api.example/a/..",
                           "network=GET http://api.example:81/%2e"}) {
    EXPECT_THAT(canonical(text), HasSubstr("leave it away for all of the host")) << text;
  }
}

TEST(Grants, AFolderThatWasHardlyMeantIsRefused) {
  for (const char* text : {"storage=./data:data", "storage=a:", "storage=x:ro:rw", "storage=/tmp:r",
                           "storage=/tmp:/x:wo"}) {
    EXPECT_THAT(canonical(text), HasSubstr("FOLDER:/place/in/the/guest")) << text;
  }
  for (const char* text : {"storage=/proc", "storage=/sys/class:/x"}) {
    EXPECT_THAT(canonical(text), HasSubstr("the kernel's inside")) << text;
  }
  EXPECT_EQ(canonical("storage=/process"), "storage=/process:/process:ro");
  const test::TemporaryFolder there;
  there.make_folder("a:b");
  EXPECT_THAT(canonical("storage=" + (there / "a:b").native()), HasSubstr("a:b:/"));
}

TEST(Grants, AFolderThatIsNoneIsRefused) {
  EXPECT_THAT(canonical("storage="), HasSubstr("storage needs a folder"));
  EXPECT_THAT(canonical("storage=:/in"), HasSubstr("storage needs a folder"));
  EXPECT_THAT(canonical("storage=:rw"), HasSubstr("storage needs a folder"));
  EXPECT_THAT(canonical(std::string_view("storage=a\0b", 11)), HasSubstr("control"));
  EXPECT_THAT(canonical("storage=a:/in/../x"), HasSubstr("without \"..\""));
}

TEST(Grants, ANetworkGrantIsAHostAnUrlASocketOrARange) {
  EXPECT_EQ(describe(applied("network=api.example").network.at(0)), "https://api.example");
  EXPECT_EQ(describe(applied("network=GET,HEAD api.example:8443").network.at(0)),
            "https://api.example:8443 GET,HEAD");
  EXPECT_EQ(describe(applied("network=http://localhost:8080/v1/*").network.at(0)),
            "http://localhost:8080 /v1/*");
  EXPECT_EQ(describe(applied("network=tcp:db.example:5432").sockets.at(0)), "tcp:db.example:5432");
  EXPECT_EQ(describe(applied("network=udp:[::1]:53").sockets.at(0)), "udp:[::1]:53");
  EXPECT_EQ(applied("network=cidr:10.0.0.0/8").cidrs.at(0).text(), "10.0.0.0/8");
  for (const char* bad :
       {"network=", "network=*", "network=get api.example", "network=,GET api.example",
        "network=tcp:db.example", "network=cidr:10.0.0.1/8", "network=ftp://a.example",
        "network=https://me@a.example", "network=CONNECT a.example", "network=a.example:99999",
        "network=GET  "}) {
    EXPECT_THAT(canonical(bad), HasSubstr("error: network: ")) << bad;
  }
}

TEST(Grants, ARangeBehindAHostIsThatHosts) {
  const NetworkRule rule =
      applied("network=GET http://intern.example:8080/v1/* cidr:10.0.0.0/8 cidr:fd00::/8")
          .network.at(0);
  EXPECT_EQ(describe(rule), "http://intern.example:8080 GET /v1/*");
  ASSERT_EQ(rule.ranges.size(), 2U);
  EXPECT_EQ(rule.ranges[0].text(), "10.0.0.0/8");
  EXPECT_EQ(rule.ranges[1].text(), "fd00::/8");
  EXPECT_EQ(applied("network=tcp:db.example:5432 cidr:10.1.0.0/16").sockets.at(0).ranges.size(),
            1U);
  for (const char* bad :
       {"network=a.example cidr:", "network= cidr:10.0.0.0/8", "network=a.example cidr:10.0.0.1/8",
        "network=cidr:10.0.0.0/8 a.example", "network=cidr:10.0.0.0/8 cidr:fd00::/8"}) {
    EXPECT_THAT(canonical(bad), HasSubstr("error: network: ")) << bad;
  }
}

TEST(Grants, SayWhatHoldsHoweverTheyWereWritten) {
  for (const auto& [written, holds] : std::vector<std::pair<const char*, const char*>>{
           {"network=API.Example.", "network=api.example"},
           {"network=https://api.example", "network=api.example"},
           {"network=https://api.example:443/", "network=api.example"},
           {"network=HTTP://LocalHost:80", "network=http://localhost"},
           {"network=GET,HEAD  api.example:8443/%76%31/*",
            "network=GET,HEAD https://api.example:8443/v1/*"},
           {"network=0x7f.1:8080", "network=https://127.0.0.1:8080"},
           {"network=tcp:DB.example:05432", "network=tcp:db.example:5432"},
           {"network=udp:[0:0::1]:53", "network=udp:[::1]:53"},
           {"network=cidr:FD00:0::/8", "network=cidr:fd00::/8"},
           {"network=\u0430pi.github.com", "network=xn--pi-6kc.github.com"},
           {"network=*.BÜCHER.example", "network=*.xn--bcher-kva.example"},
           {"network=tcp:b\u00FCcher.example:1", "network=tcp:xn--bcher-kva.example:1"},
           {"secret=key@API.example:bearer", "secret=key@api.example:bearer"},
           {"secret=key@b\u00FCcher.example:header=X-Key:expose",
            "secret=key@xn--bcher-kva.example:header=X-Key:expose"},
       }) {
    EXPECT_EQ(canonical(written), holds) << written;
    EXPECT_EQ(canonical(holds), holds) << "the form that holds is its own";
  }
}

TEST(Grants, NamesInOtherLettersComeWithAWarning) {
  EXPECT_THAT(applied("network=\u0430pi.github.com").warnings,
              ::testing::ElementsAre(AllOf(HasSubstr("xn--pi-6kc.github.com is “аpi.github.com”"),
                                           HasSubstr("more than one alphabet"),
                                           HasSubstr("looks like api.github.com"))));
  EXPECT_THAT(applied("secret=key@bücher.example:bearer").warnings, ::testing::SizeIs(1));
  EXPECT_THAT(applied("network=api.github.com").warnings, ::testing::IsEmpty());
}

TEST(Grants, MethodsThatMatchNothingAreRefusedWithTheSpellingThatWould) {
  EXPECT_THAT(canonical("network=* a.example"), HasSubstr("leave the methods out to mean all"));
  EXPECT_THAT(canonical("network=GET,ANY a.example"), HasSubstr("leave the methods out"));
  EXPECT_THAT(canonical("network=get a.example"), HasSubstr("write GET"));
  EXPECT_THAT(canonical("network=Post,HEAD a.example"), HasSubstr("write POST"));
  EXPECT_EQ(canonical("network=M-SEARCH,PROPFIND a.example"),
            "network=M-SEARCH,PROPFIND a.example");
}

TEST(Grants, ASingleWordIsNeverBothMethodAndHost) {
  EXPECT_EQ(describe(applied("network=GET.example").network.at(0)), "https://get.example");
}

TEST(Grants, AVariableHasTheHostsValueOrAFixedOne) {
  EXPECT_EQ(applied("environment=TZ").environment.at(0).value, std::nullopt);
  EXPECT_EQ(applied("environment=TZ=UTC").environment.at(0).value, "UTC");
  EXPECT_EQ(applied("environment=X=a=b").environment.at(0).value, "a=b");
  EXPECT_EQ(applied("environment=X=").environment.at(0).value, "");
  EXPECT_THAT(canonical("environment="), HasSubstr("not the name of an environment variable"));
  EXPECT_THAT(canonical("environment=*"), HasSubstr("not the name of an environment variable"));
}

TEST(Grants, ASecretSaysWhereItGoes) {
  EXPECT_EQ(describe(applied("secret=key@api.example:header=X-Api-Key").secrets.at(0)),
            "key for api.example in the header X-Api-Key");
  EXPECT_EQ(describe(applied("secret=key@*.api.example:bearer").secrets.at(0)),
            "key for *.api.example as a bearer token");
  EXPECT_EQ(describe(applied("secret=key@api.example:basic=me").secrets.at(0)),
            "key for api.example as the password of me");
  EXPECT_EQ(describe(applied("secret=key:expose").secrets.at(0)), "key, given to the tool itself");
  EXPECT_THAT(canonical("secret=key"), HasSubstr("say where the secret goes"));
  EXPECT_THAT(canonical("secret=key@api.example"), HasSubstr("end it with :header=NAME"));
  EXPECT_THAT(canonical("secret=key@api.example:query=k"), HasSubstr("end it with :header=NAME"));
  EXPECT_THAT(canonical("secret=KEY@api.example:bearer"), HasSubstr("not a name for a secret"));
  EXPECT_THAT(canonical("secret=@api.example:bearer"), HasSubstr("not a name for a secret"));
  EXPECT_THAT(canonical("secret=key@:bearer"), HasSubstr("error: secret: "));
  EXPECT_THAT(canonical("secret=key@api.example:header=Host"), HasSubstr("not a header"));
  EXPECT_THAT(canonical("secret=key@api.example:header=X:basic=y"), HasSubstr("not a header"));
  EXPECT_THAT(canonical("secret=key@api.example:basic=a:b"), HasSubstr("a colon"));
}

TEST(Grants, ALimitIsSetByItsName) {
  EXPECT_EQ(applied("limit=memory=256Mi").limits.memory, Bytes{256 << 20});
  EXPECT_EQ(applied("limit=timeout=2m").limits.timeout, std::chrono::minutes(2));
  EXPECT_THAT(canonical("limit=memory"), HasSubstr("write it like memory=128Mi"));
  EXPECT_THAT(canonical("limit=space=1"), HasSubstr("unknown limit \"space\""));
  EXPECT_THAT(canonical("limit=memory=1"), HasSubstr("out of range"));
}

TEST(Grants, ACapabilityIsAnInterface) {
  EXPECT_EQ(applied("capability=acme:kv/store@1.0.0").capabilities.at(0).interface,
            "acme:kv/store@1.0.0");
  EXPECT_THAT(canonical("capability="), HasSubstr("is no interface"));
}

TEST(Grants, WhatATerminalWouldShowAsSomethingElseIsRefused) {
  for (const char* const text : {"environment=A=\x1b[2K", "storage=/etc\n  asked for r-deadbeef",
                                 "capability=a\rb", "environment=A=\u202Ebcd", "storage=/a\tb"}) {
    const auto grant = parse_grant(text, "/p");
    ASSERT_FALSE(grant) << text;
    EXPECT_THAT(grant.error().message(), HasSubstr("control, escape or direction")) << text;
  }
  EXPECT_TRUE(parse_grant("storage=/srv/Größe/数据", "/p"));
}

TEST(Grants, AnUnknownKindIsMetWithTheOneThatWasMeant) {
  EXPECT_THAT(canonical("netwrok=a.example"), HasSubstr("did you mean network?"));
  EXPECT_THAT(canonical("everything=yes"), HasSubstr("use storage, network"));
  EXPECT_THAT(canonical("storage"), HasSubstr("is not KIND=VALUE"));
  EXPECT_THAT(canonical("=x"), HasSubstr("unknown kind of grant \"\""));
}

TEST(Grants, AddUpInOneDocumentAndTheLastLimitHolds) {
  Document document;
  for (const char* text : {"network=a.example", "network=b.example", "limit=memory=1Mi",
                           "limit=memory=2Mi", "limit=timeout=1s"}) {
    ASSERT_TRUE(apply_grant(document, *parse_grant(text, folder)));
  }
  EXPECT_EQ(document.network.size(), 2U);
  EXPECT_EQ(document.limits.memory, Bytes{2 << 20});
  EXPECT_EQ(document.limits.timeout, std::chrono::seconds(1));
}

TEST(Grants, AValueThatWasTamperedWithInTheStoreIsAnError) {
  Document document;
  EXPECT_FALSE(apply_grant(document, {GrantKind::network, "*"}));
  EXPECT_FALSE(apply_grant(document, {GrantKind::limit, "memory=-1"}));
  EXPECT_EQ(document.network.size(), 0U);
}

}  // namespace
}  // namespace belljar::policy
