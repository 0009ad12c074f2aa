// All that components need, in a folder of its own, for tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/compiler.h"
#include "support/file.h"
#include "testing/temporary_folder.h"
#include "toolbox/component.h"

namespace belljar::toolbox {

/// Keeps records in memory. Everything is durable at once, unless told otherwise.
class MemoryLog final : public audit::Log {
 public:
  bool append(audit::Record record) override {
    const std::lock_guard lock(mutex_);
    records_.push_back(std::move(record));
    return true;
  }
  [[nodiscard]] bool accepts() const noexcept override { return accepting; }
  void when_durable(std::move_only_function<void(bool)> done) override { done(durable); }

  [[nodiscard]] std::vector<audit::Record> records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }

  /// False for a disk that fails.
  std::atomic<bool> durable{true};
  /// False for one that has failed, which takes nothing new.
  std::atomic<bool> accepting{true};

 private:
  std::mutex mutex_;
  std::vector<audit::Record> records_;
};

/// The real parts, wired as the runtime wires them, but for the log.
class ServicesTest : public testing::Test {
 protected:
  void SetUp() override {
    const store::Paths paths{folder_ / "data", folder_ / "config", folder_ / "cache",
                             folder_ / "run"};
    ASSERT_TRUE(make_private_directory(paths.cache));
    take(state_, store::State::open(paths, clock_));
    secrets_ = std::make_unique<store::Secrets>(*state_, store::SecretKeyPlace::file);
    take(egress_, host::make_egress({}));
    artifact::Loader::Options loading;
    loading.cache = paths.cache;
    loader_ = std::make_unique<artifact::Loader>(std::move(loading), compiler_, state_->mac_key(),
                                                 clock_);
    services_ = std::make_unique<host::Services>(
        host::Services{*state_, *secrets_, log_, files_, *egress_, clock_, capabilities_,
                       [](const char*) { return std::optional<std::string>(); }});
    take(engine_, engine::make_engine({.instances = 8, .workers = 1, .memory = Bytes{1 << 28}}));
  }

  /// A component of WebAssembly text, with permissions in the form of `belljar grant`.
  [[nodiscard]] Result<std::shared_ptr<Component>> load(
      const std::string& name, std::string_view text, const std::vector<std::string>& grants = {}) {
    const auto path = folder_ / (name + ".wat");
    if (const auto written = write_file_atomically(path, text, 0600); !written) {
      return std::unexpected(written.error());
    }
    auto artifact = loader_->load(path, false);
    if (!artifact) return std::unexpected(std::move(artifact).error());
    policy::Document document;
    for (const std::string& text_of_grant : grants) {
      const auto grant = policy::parse_grant(text_of_grant, folder_);
      if (!grant) return std::unexpected(grant.error());
      if (const auto applied = policy::apply_grant(document, *grant); !applied) {
        return std::unexpected(applied.error());
      }
    }
    const store::ComponentKey key{name, artifact->digest};
    auto permissions = std::make_shared<host::Permissions>(
        *state_, key, "session", host::Permissions::Fixed{{std::move(document)}, std::nullopt, {}});
    return Component::load({*engine_, *loader_, *services_, admission_, waiting_room_, handles_,
                            refusals_, tasks_, *workers_},
                           name, *std::move(artifact), std::move(permissions));
  }

  test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  SystemClock clock_;
  MemoryLog log_;
  host::DirectFiles files_;
  std::vector<Capability> capabilities_;
  engine::Compiler compiler_{BELLJAR_COMPILER_HELPER};
  std::unique_ptr<store::State> state_;
  std::unique_ptr<store::Secrets> secrets_;
  std::unique_ptr<host::Services> services_;
  // Destroyed before what its last requests use.
  std::unique_ptr<host::Egress> egress_;
  std::unique_ptr<artifact::Loader> loader_;
  std::unique_ptr<engine::Engine> engine_;
  Handles handles_{{}, [this](std::uint64_t live) { engine_->drop_live(live); }};
  Admission admission_{8};
  WaitingRoom waiting_room_;
  RefusalDesk refusals_;
  std::unique_ptr<Workers> workers_ = *Workers::start(2, 64);
  TaskGroup tasks_;

 private:
  template <typename T>
  static void take(std::unique_ptr<T>& target, Result<std::unique_ptr<T>> made) {
    ASSERT_TRUE(made) << made.error().describe();
    target = *std::move(made);
  }
};

}  // namespace belljar::toolbox
