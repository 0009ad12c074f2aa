#include "host/sent_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SentSecrets::Value value(std::string text) {
  return std::make_shared<const store::SecretValue>(std::move(text));
}

std::vector<std::string> texts(const SentSecrets& sent, const std::string& server) {
  std::vector<std::string> texts;
  for (const auto& known : sent.of(server)) texts.push_back(known->reveal());
  return texts;
}

TEST(SentSecretsTest, AreKnownToTheServerThatGotThem) {
  SentSecrets sent;
  sent.remember("https://a.test:443", value("first"));
  sent.remember("https://a.test:443", value("second"));
  sent.remember("https://a.test:443", value("first"));
  sent.remember("https://a.test:8443", value("third"));
  EXPECT_THAT(texts(sent, "https://a.test:443"), ElementsAre("second", "first"));
  EXPECT_THAT(texts(sent, "https://a.test:8443"), ElementsAre("third"));
  EXPECT_THAT(texts(sent, "http://a.test:443"), IsEmpty());
}

TEST(SentSecretsTest, TheOldestAreForgottenFirst) {
  SentSecrets sent;
  sent.remember("https://a.test:443", value("first"));
  sent.remember("https://a.test:443", value("second"));
  for (std::size_t i = 0; i + 2 < SentSecrets::maximum; ++i) {
    sent.remember("https://b.test:443", value("value " + std::to_string(i)));
  }
  EXPECT_THAT(texts(sent, "https://a.test:443"), ElementsAre("first", "second"));
  sent.remember("https://a.test:443", value("first"));
  sent.remember("https://b.test:443", value("one more"));
  EXPECT_THAT(texts(sent, "https://a.test:443"), ElementsAre("first"));
}

}  // namespace
}  // namespace belljar::host
