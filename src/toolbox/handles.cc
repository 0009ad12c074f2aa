#include "toolbox/handles.h"

#include <algorithm>
#include <utility>

#include "support/json.h"
#include "support/result.h"

namespace belljar::toolbox {
namespace {

constexpr std::string_view prefix = "handle-";
constexpr std::size_t handle_length = prefix.size() + 32;

void collect(const Json& value, std::vector<std::string>& handles) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() == handle_length && text.starts_with(prefix)) handles.push_back(text);
  } else if (value.is_structured()) {
    for (const Json& item : value) collect(item, handles);
  }
}

constexpr std::string_view gone =
    "this handle is not known here: it was given back, it has expired, or it belongs to another "
    "client or process; ask the tool that made it for a new one";

}  // namespace

Result<std::optional<std::uint64_t>> Handles::find(std::string_view arguments,
                                                   std::string_view client) {
  const auto parsed = parse_json(arguments, Bytes{64 << 20});
  // What is wrong with the text is told by the conversion, with the path.
  if (!parsed) return std::nullopt;
  std::vector<std::string> handles;
  collect(*parsed, handles);
  std::optional<std::uint64_t> live;
  const std::lock_guard lock(mutex_);
  for (const std::string& handle : handles) {
    const auto known = handles_.find(handle);
    const bool own = known != handles_.end() && instances_.at(known->second).client == client;
    if (!own) return fail(ErrorCode::not_found, "{}", gone);
    if (live && *live != known->second) {
      return fail(ErrorCode::invalid_argument,
                  "these handles belong to two instances, which know nothing of each other");
    }
    live = known->second;
  }
  if (live) instances_.at(*live).used = Clock::now();
  return live;
}

bool Handles::reserve(std::string_view client) {
  const std::lock_guard lock(mutex_);
  const auto own = std::count_if(instances_.begin(), instances_.end(), [&](const auto& instance) {
    return instance.second.client == client;
  });
  const auto known = reserved_.find(client);
  const std::size_t reserved = known == reserved_.end() ? 0 : known->second;
  if (static_cast<std::size_t>(own) + reserved >= options_.per_client ||
      instances_.size() + all_reserved_ >= options_.total) {
    return false;
  }
  if (known == reserved_.end()) {
    reserved_.emplace(client, 1);
  } else {
    ++known->second;
  }
  ++all_reserved_;
  return true;
}

void Handles::release(std::string_view client) {
  const std::lock_guard lock(mutex_);
  const auto known = reserved_.find(client);
  if (known == reserved_.end()) return;
  --all_reserved_;
  if (--known->second == 0) reserved_.erase(known);
}

void Handles::settle(std::uint64_t before, std::uint64_t live,
                     const std::vector<std::string>& given, std::string_view client) {
  const std::lock_guard lock(mutex_);
  if (before != 0 && live != before) drop_locked(before);
  if (live == 0) return;
  Instance& instance = instances_[live];
  instance.client = client;
  instance.used = Clock::now();
  for (const std::string& handle : given) handles_.emplace(handle, live);
  changed_.notify_one();
}

void Handles::drop_locked(std::uint64_t live) {
  instances_.erase(live);
  std::erase_if(handles_, [&](const auto& entry) { return entry.second == live; });
}

void Handles::watch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (instances_.empty()) {
      changed_.wait(lock, stop, [&] { return !instances_.empty(); });
      continue;
    }
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    std::vector<std::uint64_t> ended;
    for (const auto& [live, instance] : instances_) {
      const auto end = instance.used + options_.idle;
      if (end <= now) {
        ended.push_back(live);
      } else {
        next = std::min(next, end);
      }
    }
    for (const std::uint64_t live : ended) drop_locked(live);
    if (ended.empty()) {
      changed_.wait_until(lock, stop, next, [] { return false; });
      continue;
    }
    lock.unlock();
    for (const std::uint64_t live : ended) end_(live);
    lock.lock();
  }
}

}  // namespace belljar::toolbox
