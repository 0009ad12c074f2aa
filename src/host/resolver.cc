#include "host/resolver.h"

#include <ares.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "support/result.h"

namespace belljar::host {

/// A c-ares channel on the loop.
struct Resolver::Channel : std::enable_shared_from_this<Channel> {
  explicit Channel(EventLoop& event_loop) : loop(event_loop) {}
  ~Channel() {
    if (timer != 0) loop.cancel(timer);
    if (ares != nullptr) ares_destroy(ares);
  }

  /// c-ares says which of its sockets wait for what.
  static void socket_state(void* data, ares_socket_t socket, int readable, int writable) {
    auto* const self = static_cast<Channel*>(data);
    const std::uint32_t events = (readable != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                                 (writable != 0 ? std::uint32_t{EPOLLOUT} : 0U);
    self->loop.watch(socket, events, [weak = self->weak_from_this(), socket](std::uint32_t ready) {
      const auto held = weak.lock();
      if (!held) return;
      const bool broken = (ready & (EPOLLERR | EPOLLHUP)) != 0;
      ares_process_fd(held->ares, (ready & EPOLLIN) != 0 || broken ? socket : ARES_SOCKET_BAD,
                      (ready & EPOLLOUT) != 0 ? socket : ARES_SOCKET_BAD);
      held->set_timer();
    });
  }

  /// c-ares retries by its own clock, which it tells only when asked.
  void set_timer() {
    if (timer != 0) loop.cancel(timer);
    timer = 0;
    timeval left{};
    if (ares_timeout(ares, nullptr, &left) == nullptr) return;
    const auto delay = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
    timer = loop.at(EventLoop::Clock::now() + delay, [weak = weak_from_this()] {
      const auto held = weak.lock();
      if (!held) return;
      held->timer = 0;
      ares_process_fd(held->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      held->set_timer();
    });
  }

  EventLoop& loop;
  ares_channel ares = nullptr;
  EventLoop::TimerId timer = 0;
  /// When the system's settings were read.
  timespec settings{};
};

namespace {

/// Names that c-ares asks for at once; a guest may ask for many and give them up at once.
constexpr std::size_t maximum_asked = 512;

std::optional<policy::Address> to_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return policy::Address::v4(bytes);
  }
  if (address->sa_family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return policy::Address::v6(bytes);
  }
  return std::nullopt;
}

Result<std::vector<policy::Address>> addresses_of(const std::string& name, int status,
                                                  const ares_addrinfo* info) {
  if (status != ARES_SUCCESS) {
    return fail(ErrorCode::not_found, "the name {} has no address: {}", name,
                ares_strerror(status));
  }
  std::vector<policy::Address> addresses;
  for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
    const auto address = to_address(node->ai_addr);
    if (!address) continue;
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

timespec settings_time() {
  struct stat status{};
  return ::stat("/etc/resolv.conf", &status) == 0 ? status.st_mtim : timespec{};
}

}  // namespace

Resolver::Resolver(EventLoop& loop, std::vector<std::string> name_servers,
                   std::chrono::milliseconds timeout)
    : loop_(loop), name_servers_(std::move(name_servers)), timeout_(timeout) {
  ares_library_init(ARES_LIB_INIT_ALL);
}

Resolver::~Resolver() {
  channel_.reset();
  ares_library_cleanup();
}

Result<void> Resolver::use_settings() {
  // A machine that moved to another network has other name servers.
  const timespec settings = settings_time();
  if (channel_ && channel_->settings.tv_sec == settings.tv_sec &&
      channel_->settings.tv_nsec == settings.tv_nsec) {
    return {};
  }
  auto channel = std::make_shared<Channel>(loop_);
  channel->settings = settings;
  constexpr int tries = 2;
  ares_options options{};
  // A name is looked up as it is: no search domains and no aliases of the environment, which would
  // turn it into another.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = static_cast<int>(timeout_.count() / (tries + 1));
  options.tries = tries;
  options.sock_state_cb = Channel::socket_state;
  options.sock_state_cb_data = channel.get();
  int code = ares_init_options(
      &channel->ares, &options,
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (code == ARES_SUCCESS && !name_servers_.empty()) {
    const std::string list = fmt::format("{}", fmt::join(name_servers_, ","));
    code = ares_set_servers_ports_csv(channel->ares, list.c_str());
  }
  if (code != ARES_SUCCESS) {
    return fail(ErrorCode::internal, "names cannot be looked up: {}", ares_strerror(code));
  }
  // What the old servers were asked and have not answered, the new ones are asked.
  channel_ = std::move(channel);
  waiting_.clear();
  for (const auto& [name, askers] : askers_) waiting_.push_back(name);
  asked_ = 0;
  return {};
}

void Resolver::lookup(const policy::Host& host, std::weak_ptr<const void> asker, Done done) {
  if (const auto usable = use_settings(); !usable) {
    done(std::unexpected(usable.error()));
    return;
  }
  auto& askers = askers_[host.name];
  askers.push_back({std::move(asker), std::move(done)});
  // One question does for all who want to know the same at this moment: the answers to hundreds
  // would not have room in a socket, and be asked for again.
  if (askers.size() == 1) waiting_.push_back(host.name);
  ask_more();
}

void Resolver::ask_more() {
  /// c-ares cannot take a question back, so this owns itself until the answer.
  struct Question {
    Resolver* resolver;
    std::string name;
  };
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;
  // An answer may come at once, and lead to another lookup under new settings.
  const std::shared_ptr<Channel> channel = channel_;
  while (channel == channel_ && asked_ < maximum_asked && !waiting_.empty()) {
    auto question = std::make_unique<Question>(Question{this, std::move(waiting_.front())});
    waiting_.pop_front();
    const auto& askers = askers_[question->name];
    if (std::all_of(askers.begin(), askers.end(),
                    [](const Asker& asker) { return asker.self.expired(); })) {
      askers_.erase(question->name);
      continue;
    }
    ++asked_;
    const std::string name = question->name;
    ares_getaddrinfo(
        channel->ares, name.c_str(), nullptr, &hints,
        [](void* data, int status, int /*timeouts*/, ares_addrinfo* info) {
          const std::unique_ptr<Question> answered(static_cast<Question*>(data));
          const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> owned(info,
                                                                               ares_freeaddrinfo);
          // The channel goes, and with it the question.
          if (status == ARES_EDESTRUCTION) return;
          answered->resolver->answer(answered->name, addresses_of(answered->name, status, info));
        },
        question.release());
  }
  channel->set_timer();
}

void Resolver::answer(const std::string& name,
                      const Result<std::vector<policy::Address>>& addresses) {
  --asked_;
  const auto found = askers_.find(name);
  if (found == askers_.end()) return;
  std::vector<Asker> askers = std::move(found->second);
  askers_.erase(found);
  for (Asker& asker : askers) {
    if (!asker.self.expired()) asker.done(addresses);
  }
  // Not from within c-ares, which is in the middle of this answer.
  if (!waiting_.empty()) {
    loop_.post([weak = std::weak_ptr(channel_), this] {
      if (weak.lock()) ask_more();
    });
  }
}

}  // namespace belljar::host
