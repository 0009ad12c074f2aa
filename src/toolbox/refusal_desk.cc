#include "toolbox/refusal_desk.h"

#include <fmt/format.h>

#include <utility>

#include "policy/grant.h"
#include "store/grants.h"
#include "support/json.h"
#include "support/result.h"

namespace belljar::toolbox {

RefusalDesk::RefusalDesk() : thread_([this] { run(); }) {}

RefusalDesk::~RefusalDesk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void RefusalDesk::settle(std::shared_ptr<host::ComponentHost> component, std::string tool,
                         std::vector<Refusal> refusals, Done done) {
  add([settling = Settling{std::move(component), std::move(tool), std::move(refusals),
                           std::move(done)}]() mutable { work(std::move(settling)); });
}

void RefusalDesk::note_request(std::shared_ptr<host::ComponentHost> component, policy::Grant grant,
                               std::string reason,
                               std::move_only_function<void(Result<std::string>)> done) {
  add([component = std::move(component), grant = std::move(grant), reason = std::move(reason),
       done = std::move(done)]() mutable {
    host::Services& services = component->services();
    auto id = store::Grants(services.state)
                  .note_request(component->permissions().component(), grant, reason);
    if (!id) return done(std::move(id));
    services.log.append(
        {audit::RecordKind::request, services.clock.now(), component->subject(),
         fmt::format("\"permission\":{},\"reason\":{},\"request\":{}", json_string(grant.text()),
                     json_string(reason), json_string(*id))});
    services.log.when_durable([done = std::move(done), id = *std::move(id)](bool durable) mutable {
      if (durable) return done(std::move(id));
      done(fail(ErrorCode::storage, "the request could not be recorded; is the disk full?"));
    });
  });
}

void RefusalDesk::add(std::move_only_function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void RefusalDesk::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    auto jobs = std::exchange(jobs_, {});
    const bool last = stopping_;
    lock.unlock();
    for (auto& job : jobs) job();
    lock.lock();
    if (last && jobs_.empty()) return;
  }
}

void RefusalDesk::work(Settling job) {
  host::Services& services = job.component->services();
  const store::ComponentKey& key = job.component->permissions().component();
  for (Refusal& refusal : job.refusals) {
    const std::size_t equals = refusal.remedy.find('=');
    if (equals != std::string::npos) {
      const auto kind = policy::parse_grant_kind(refusal.remedy.substr(0, equals));
      if (kind) {
        auto id =
            store::Grants(services.state)
                .note_request(key, {*kind, refusal.remedy.substr(equals + 1)}, refusal.reason);
        if (id) refusal.request_id = *std::move(id);
      }
    }
    services.log.append(
        {audit::RecordKind::refusal, services.clock.now(), job.component->subject(),
         fmt::format("\"tool\":{},\"permission\":\"{}\",\"what\":{},\"rule\":{},\"reason\":{},"
                     "\"request\":{},\"times\":{}",
                     json_string(job.tool), refusal.kind, json_string(refusal.what),
                     json_string(refusal.rule), json_string(refusal.reason),
                     json_string(refusal.request_id), refusal.times)});
  }
  services.log.when_durable([done = std::move(job.done), refusals = std::move(job.refusals)](
                                bool durable) mutable { done(std::move(refusals), durable); });
}

}  // namespace belljar::toolbox
