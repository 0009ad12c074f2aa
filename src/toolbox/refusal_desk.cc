#include "toolbox/refusal_desk.h"

#include <fmt/format.h>

#include <utility>

#include "audit/budget.h"
#include "policy/grant.h"
#include "support/json.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::toolbox {
namespace {

/// Jobs that wait at most, and for how long.
constexpr std::size_t maximum_jobs = 4'096;
constexpr std::chrono::milliseconds patience{2'000};

/// The permission that would help; none if no grant would.
std::optional<policy::Grant> remedy_of(const Refusal& refusal) {
  const std::size_t equals = refusal.remedy.find('=');
  if (equals == std::string::npos) return std::nullopt;
  const auto kind = policy::parse_grant_kind(refusal.remedy.substr(0, equals));
  if (!kind) return std::nullopt;
  return policy::Grant{*kind, refusal.remedy.substr(equals + 1)};
}

/// Whether both the log and the state took no harm so far.
Result<void> may_note(host::ComponentHost& component, Result<void> may) {
  if (may && !component.services().log.accepts()) {
    return std::unexpected(component.services().log.refusal());
  }
  return may;
}

/// The requests of these wishes; those of the component that ran out for them are not named again.
Result<std::vector<std::string>> note(host::ComponentHost& component,
                                      std::span<const store::Wish> wishes) {
  if (wishes.empty()) return std::vector<std::string>();
  BELLJAR_TRY(store::Grants::Noted noted,
              store::Grants(component.services().state)
                  .note_requests(component.permissions().component(), wishes));
  component.forget_requests(noted.ran_out);
  return std::move(noted.ids);
}

}  // namespace

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
  add([settling =
           Settling{std::move(component), std::move(tool), std::move(refusals), std::move(done)}](
          Result<void> may) mutable { settle_now(std::move(settling), std::move(may)); });
}

void RefusalDesk::note_request(std::shared_ptr<host::ComponentHost> component, policy::Grant grant,
                               std::string reason,
                               std::move_only_function<void(Result<std::string>)> done) {
  add([asking =
           Asking{std::move(component), {std::move(grant), std::move(reason)}, std::move(done)}](
          Result<void> may) mutable { ask_now(std::move(asking), std::move(may)); });
}

void RefusalDesk::add(std::move_only_function<void(Result<void>)> work) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() < maximum_jobs) {
      jobs_.push_back({std::chrono::steady_clock::now() + patience, std::move(work)});
      changed_.notify_one();
      return;
    }
  }
  work(fail(ErrorCode::unavailable, "too many others wait to be noted"));
}

void RefusalDesk::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (std::chrono::steady_clock::now() < job.until) {
      job.work({});
    } else {
      job.work(fail(ErrorCode::unavailable, "the state is held by another process"));
    }
    job = {};
    lock.lock();
  }
}

void RefusalDesk::ask_now(Asking asking, Result<void> may) {
  may = may_note(*asking.component, std::move(may));
  if (!may) return asking.done(std::unexpected(std::move(may).error()));
  if (!asking.component->may_note_refusal()) {
    return asking.done(fail(ErrorCode::unavailable,
                            "{} were asked for in this minute for this component already, and no "
                            "more are noted; ask again in a minute",
                            audit::refusals_a_minute));
  }
  host::Services& services = asking.component->services();
  auto ids = note(*asking.component, {&asking.wish, 1});
  if (!ids) return asking.done(std::unexpected(std::move(ids).error()));
  std::vector<audit::Record> records;
  records.push_back({audit::RecordKind::request, services.clock.now(), asking.component->subject(),
                     fmt::format("\"permission\":{},\"reason\":{},\"request\":{}",
                                 json_string(asking.wish.grant.text()),
                                 json_string(asking.wish.reason), json_string(ids->front()))});
  services.log.append_then(
      std::move(records),
      [done = std::move(asking.done), id = std::move(ids->front())](Result<void> noted) mutable {
        if (noted) return done(std::move(id));
        done(std::unexpected(std::move(noted).error()));
      });
}

void RefusalDesk::settle_now(Settling settling, Result<void> may) {
  host::Services& services = settling.component->services();
  std::vector<store::Wish> wishes;
  std::vector<Refusal*> wishing;
  for (Refusal& refusal : settling.refusals) {
    if (auto grant = remedy_of(refusal)) {
      wishes.push_back({*std::move(grant), refusal.reason});
      wishing.push_back(&refusal);
    }
  }
  may = may_note(*settling.component, std::move(may));
  if (may) {
    auto ids = note(*settling.component, wishes);
    if (!ids) {
      may = std::unexpected(std::move(ids).error());
    } else {
      for (std::size_t i = 0; i < wishing.size(); ++i) wishing[i]->request_id = (*ids)[i];
    }
  }
  if (!may) return settling.done(std::move(settling.refusals), std::move(may));
  std::vector<audit::Record> records;
  for (const Refusal& refusal : settling.refusals) {
    records.push_back(
        {audit::RecordKind::refusal, services.clock.now(), settling.component->subject(),
         fmt::format("\"tool\":{},\"permission\":\"{}\",\"what\":{},\"rule\":{},\"reason\":{},"
                     "\"request\":{},\"times\":{}",
                     json_string(settling.tool), refusal.kind,
                     json_string(one_line(refusal.what, audit::longest_text)),
                     json_string(refusal.rule),
                     json_string(one_line(refusal.reason, audit::longest_text)),
                     json_string(refusal.request_id), refusal.times)});
  }
  services.log.append_then(
      std::move(records),
      [done = std::move(settling.done), refusals = std::move(settling.refusals)](
          Result<void> noted) mutable { done(std::move(refusals), std::move(noted)); });
}

}  // namespace belljar::toolbox
