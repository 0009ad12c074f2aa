#include "host/opener_process.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <system_error>
#include <thread>

#include "host/opener_link.h"
#include "store/components.h"
#include "store/grants.h"
#include "support/result.h"

namespace belljar::host {
namespace {

/// Operations in one folder at once; more wait for those.
constexpr std::size_t line_width = 8;
/// Requests that wait in one line.
constexpr std::size_t line_length = 1'024;
constexpr std::size_t maximum_threads = 1'024;
/// Threads that stay when there is nothing to do.
constexpr std::size_t spare_threads = 4;
/// Folders that are kept open; the oldest are closed, and opened again when they are needed.
constexpr std::size_t maximum_mounts = 4'096;

/// Whether `wanted` asks for no more than `granted` gives.
bool covers(const policy::Mount& granted, const policy::Mount& wanted) {
  return granted.rule.host == wanted.rule.host && granted.rule.identity == wanted.rule.identity &&
         granted.rule.whole == wanted.rule.whole &&
         granted.rule.whole_identity == wanted.rule.whole_identity &&
         (granted.rule.access.read || !wanted.rule.access.read) &&
         (granted.rule.access.write || !wanted.rule.access.write) &&
         (granted.rule.hardlinks || !wanted.rule.hardlinks);
}

}  // namespace

void OpenerProcess::run() {
  ::prctl(PR_SET_NAME, "belljar-opener");
  listen(true);
  ::_exit(0);
}

void OpenerProcess::listen(bool first) {
  std::unique_lock lock(mutex_, std::defer_lock);
  while (true) {
    auto packet = receive_packet(socket_.get());
    // The server is gone. What hangs in other threads ends with the process.
    if (!packet || !*packet) ::_exit(0);
    Job job{std::move((*packet)->json), {}};
    std::string name;
    try {
      job.deadline = from_the_wire(job.request.value("until", std::int64_t{0}));
      if (answer_at_once(job)) continue;
      name = line_of(job.request);
    } catch (const Json::exception&) {
      // Not of the form that Belljar gives it, so nobody waits for an answer.
      continue;
    }
    lock.lock();
    Line& line = lines_[name];
    if (line.running >= line_width) {
      // The asker's deadline holds for what is turned away as for what waits.
      if (line.waiting.size() < line_length) line.waiting.push_back(std::move(job));
      lock.unlock();
      continue;
    }
    // Before this thread does something that may hang, another one listens.
    if (--listening_ == 0) add_listener();
    work(lock, name, std::move(job));
    if (!first && listening_ >= spare_threads) {
      --threads_;
      return;
    }
    ++listening_;
    lock.unlock();
  }
}

void OpenerProcess::add_listener() {
  if (threads_ >= maximum_threads) return;
  try {
    std::thread([this] { listen(false); }).detach();
  } catch (const std::system_error&) {
    // Requests wait until a thread is free. A server that waits too long makes another opener.
    return;
  }
  ++threads_;
  ++listening_;
}

void OpenerProcess::work(std::unique_lock<std::mutex>& lock, const std::string& name, Job job) {
  ++lines_[name].running;
  while (true) {
    const auto entry = running_.insert(job.deadline);
    lock.unlock();
    serve(job);
    lock.lock();
    running_.erase(entry);
    Line& line = lines_[name];
    if (line.waiting.empty()) break;
    job = std::move(line.waiting.front());
    line.waiting.pop_front();
  }
  if (--lines_[name].running == 0) lines_.erase(name);
}

bool OpenerProcess::answer_at_once(const Job& job) {
  const std::string kind = job.request.value("kind", "");
  if (kind == "close") {
    const std::lock_guard lock(mutex_);
    mounts_.erase(job.request.value("mount", std::uint64_t{0}));
    return true;
  }
  if (kind != "ping") return false;
  std::uint64_t hanging = 0;
  {
    const std::lock_guard lock(mutex_);
    hanging = static_cast<std::uint64_t>(
        std::distance(running_.begin(), running_.lower_bound(Clock::now())));
  }
  reply(job, {{"hanging", hanging}}, {});
  return true;
}

std::string OpenerProcess::line_of(const Json& request) {
  const std::string kind = request.value("kind", "");
  if (kind == "mount") {
    return mount_from_json(request.value("wanted", Json::object())).rule.host.native();
  }
  if (kind == "open") return std::filesystem::path(request.value("path", "")).parent_path();
  const auto number = request.value("mount", std::uint64_t{0});
  const std::lock_guard lock(mutex_);
  const auto found = mounts_.find(number);
  return found == mounts_.end() ? std::string() : found->second.line;
}

void OpenerProcess::serve(const Job& job) {
  // It waited too long in its line.
  if (Clock::now() >= job.deadline) return;
  UniqueFd descriptor;
  Json answer;
  try {
    answer = answer_to(job.request, descriptor);
  } catch (const std::exception& error) {
    answer = {{"failure", error.what()}};
  }
  reply(job, std::move(answer), descriptor);
}

void OpenerProcess::reply(const Job& job, Json answer, const UniqueFd& descriptor) {
  // A late answer is dropped here: the server could only close what comes with it, and that may
  // wait for the same file system.
  if (Clock::now() >= job.deadline) return;
  const auto number = job.request.value("id", std::uint64_t{0});
  answer["id"] = number;
  auto text = packet_text(answer);
  if (!text) text = to_text(Json{{"failure", text.error().message()}, {"id", number}});
  // A server that cannot be reached any more ends this process when it is listened to.
  static_cast<void>(send_packet(socket_.get(), *std::move(text), descriptor.get()));
}

Json OpenerProcess::answer_to(const Json& request, UniqueFd& descriptor) {
  const std::string kind = request.value("kind", "");
  if (kind == "file") return perform(request, descriptor);
  if (kind == "mount") return open_mount(request);
  if (kind == "open") return open_component(request.value("path", ""), descriptor);
  return {{"failure", "unknown request"}};
}

Json OpenerProcess::perform(const Json& request, UniqueFd& descriptor) {
  std::shared_ptr<LiveMount> mount;
  {
    const std::lock_guard lock(mutex_);
    const auto found = mounts_.find(request.value("mount", std::uint64_t{0}));
    if (found == mounts_.end()) return {{"unknown", true}};
    mount = found->second.mount;
  }
  FileAnswer answer = mount->perform(request_from_json(request.value("request", Json::object())),
                                     request.value("as-granted", false));
  descriptor = std::move(answer.reply.descriptor);
  return to_json(answer);
}

Json OpenerProcess::open_mount(const Json& request) {
  const store::ComponentKey key{request.value("name", ""), request.value("digest", "")};
  policy::Mount wanted = mount_from_json(request.value("wanted", Json::object()));
  auto granted = snapshot_of(key);
  if (!granted) return {{"problem", granted.error().describe()}};
  const auto mounts = (*granted)->mounts();
  const auto own = std::find_if(mounts.begin(), mounts.end(),
                                [&](const policy::Mount& mount) { return covers(mount, wanted); });
  if (own == mounts.end()) {
    return {{"problem", "the opener knows of no grant of " + wanted.rule.host.native()}};
  }
  wanted.denied.insert(wanted.denied.end(), own->denied.begin(), own->denied.end());
  wanted.denied_elsewhere.insert(wanted.denied_elsewhere.end(), own->denied_elsewhere.begin(),
                                 own->denied_elsewhere.end());
  OpenedMount opened{nullptr, wanted.rule.host.native()};
  opened.mount = std::make_shared<LiveMount>(std::move(wanted));
  const auto rule = opened.mount->open();
  if (!rule) return {{"problem", rule.error().message()}};
  const std::lock_guard lock(mutex_);
  if (mounts_.size() >= maximum_mounts) mounts_.erase(mounts_.begin());
  mounts_.emplace(++last_mount_, std::move(opened));
  return {{"mount", last_mount_}, {"rule", to_json(*rule)}};
}

Result<std::shared_ptr<const policy::Snapshot>> OpenerProcess::snapshot_of(
    const store::ComponentKey& key) {
  BELLJAR_TRY(store::State* const state, this->state());
  BELLJAR_TRY(auto effective, store::Grants(*state).effective(key, authority_.session));
  policy::Sources sources;
  sources.granted = std::move(effective.documents);
  const auto fixed = authority_.granted.find(key.name);
  if (fixed != authority_.granted.end()) {
    sources.granted.insert(sources.granted.end(), fixed->second.begin(), fixed->second.end());
  }
  sources.ceilings = authority_.ceilings;
  sources.own_folders = authority_.paths.all();
  return policy::Snapshot::compile(std::move(sources));
}

Json OpenerProcess::open_component(const std::string& path, UniqueFd& descriptor) {
  const auto& files = authority_.files;
  bool named = std::find(files.begin(), files.end(), std::filesystem::path(path)) != files.end();
  if (!named) {
    auto state = this->state();
    if (!state) return {{"failure", state.error().describe()}};
    const auto components = store::Components(**state).list();
    named = components && std::any_of(components->begin(), components->end(),
                                      [&](const store::StoredComponent& component) {
                                        return component.reference == path;
                                      });
  }
  if (!named) return {{"failure", path + ": nobody has asked for this file to be loaded"}};
  auto file = open_regular_file(path);
  if (!file) {
    return {{"failure", file.error().message()},
            {"missing", file.error().code() == ErrorCode::not_found}};
  }
  descriptor = *std::move(file);
  return {{"ok", true}};
}

Result<store::State*> OpenerProcess::state() {
  const std::lock_guard lock(state_mutex_);
  if (!state_) {
    BELLJAR_TRY(state_, store::State::open(authority_.paths, clock_));
  }
  return state_.get();
}

}  // namespace belljar::host
