#include "host/opener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include "host/opener_wire.h"
#include "store/components.h"
#include "store/state.h"
#include "support/result.h"

namespace belljar::host {
namespace {

/// Requests that are served at once; more wait. A slow file system takes its own ones only.
constexpr std::size_t lanes = 8;
/// How long the server waits for one operation.
constexpr int patience_seconds = 30;
/// Mount tables that a server may have open.
constexpr std::size_t maximum_tables = 4'096;

/// Whether `wanted` asks for no more than `granted` gives.
bool covers(const policy::Mount& granted, const policy::Mount& wanted) {
  return granted.rule.host == wanted.rule.host &&
         (granted.rule.access.read || !wanted.rule.access.read) &&
         (granted.rule.access.write || !wanted.rule.access.write) &&
         (granted.rule.hardlinks || !wanted.rule.hardlinks);
}

/// The child. It serves until the server is gone.
class OpenerProcess {
 public:
  explicit OpenerProcess(OpenerAuthority authority) : authority_(std::move(authority)) {}

  [[noreturn]] void run(std::array<UniqueFd, lanes> sockets) {
    ::prctl(PR_SET_NAME, "belljar-opener");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
    // The server's streams are not the opener's to hold open.
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int stream : {0, 1}) ::dup2(null.get(), stream);
    start_lanes(sockets);
    ::_exit(0);
  }

 private:
  /// Starts the thread of each lane with its first request: most processes use one or none. Ends
  /// when the server has gone.
  void start_lanes(const std::array<UniqueFd, lanes>& sockets) {
    std::array<pollfd, lanes> idle{};
    std::transform(sockets.begin(), sockets.end(), idle.begin(), [](const UniqueFd& socket) {
      return pollfd{.fd = socket.get(), .events = POLLIN, .revents = 0};
    });
    std::vector<std::thread> threads;
    while (std::any_of(idle.begin(), idle.end(), [](const pollfd& lane) { return lane.fd >= 0; })) {
      if (::poll(idle.data(), idle.size(), -1) < 0 && errno != EINTR) break;
      for (pollfd& lane : idle) {
        if (lane.revents == 0) continue;
        threads.emplace_back([this, socket = lane.fd] { serve(socket); });
        // A negative descriptor is one that poll leaves out.
        lane = {.fd = -1, .events = 0, .revents = 0};
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

  void serve(int socket) {
    while (true) {
      auto packet = receive_packet(socket);
      if (!packet || !*packet) return;
      UniqueFd descriptor;
      Json reply;
      try {
        reply = answer_to((*packet)->json, descriptor);
      } catch (const std::exception& error) {
        reply = {{"failure", error.what()}};
      }
      auto text = packet_text(reply);
      if (!text) text = to_text(Json{{"failure", text.error().message()}});
      if (!send_packet(socket, *std::move(text), descriptor.get())) return;
    }
  }

  Json answer_to(const Json& request, UniqueFd& descriptor) {
    const std::string kind = request.value("kind", "");
    if (kind == "file") return perform(request, descriptor);
    if (kind == "mounts") return open_mounts(request);
    if (kind == "close") {
      const std::lock_guard lock(mutex_);
      tables_.erase(request.value("table", std::uint64_t{0}));
      return {{"ok", true}};
    }
    if (kind == "open") return open_component(request.value("path", ""), descriptor);
    return {{"failure", "unknown request"}};
  }

  Json perform(const Json& request, UniqueFd& descriptor) {
    std::shared_ptr<const MountTable> table;
    {
      const std::lock_guard lock(mutex_);
      const auto found = tables_.find(request.value("table", std::uint64_t{0}));
      if (found == tables_.end()) return {{"failure", "unknown table"}};
      table = found->second;
    }
    FileAnswer answer = table->perform(request_from_json(request.value("request", Json::object())));
    descriptor = std::move(answer.reply.descriptor);
    return to_json(answer);
  }

  Json open_mounts(const Json& request) {
    const store::ComponentKey key{request.value("name", ""), request.value("digest", "")};
    auto granted = snapshot_of(key);
    if (!granted) return {{"failure", granted.error().describe()}};
    Mounts opened;
    for (const Json& wanted_json : request.value("mounts", Json::array())) {
      policy::Mount wanted = mount_from_json(wanted_json);
      const auto mounts = (*granted)->mounts();
      const auto own = std::find_if(mounts.begin(), mounts.end(), [&](const policy::Mount& mount) {
        return covers(mount, wanted);
      });
      if (own == mounts.end()) {
        opened.problems.push_back(
            {wanted.rule.guest, "the opener knows of no grant of " + wanted.rule.host.native()});
        continue;
      }
      wanted.denied.insert(wanted.denied.end(), own->denied.begin(), own->denied.end());
      wanted.denied_elsewhere = own->denied_elsewhere;
      opened.mounts.push_back(std::move(wanted));
    }
    auto table = DirectFiles().open(opened.mounts);
    Json rules = Json::array();
    for (const policy::StorageRule& rule : table->mounts()) rules.push_back(to_json(rule));
    Json problems = Json::array();
    const auto& found = table->problems();
    opened.problems.insert(opened.problems.end(), found.begin(), found.end());
    for (const MountProblem& problem : opened.problems) {
      problems.push_back({{"guest", problem.guest}, {"text", problem.text}});
    }
    const std::lock_guard lock(mutex_);
    if (tables_.size() >= maximum_tables) return {{"failure", "too many tables"}};
    tables_.emplace(++next_table_, std::move(table));
    return {{"table", next_table_}, {"rules", std::move(rules)}, {"problems", std::move(problems)}};
  }

  /// What is granted to a component, read here and nowhere else.
  Result<std::shared_ptr<const policy::Snapshot>> snapshot_of(const store::ComponentKey& key) {
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

  Json open_component(const std::string& path, UniqueFd& descriptor) {
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

  /// Opened when it is first needed: most servers are asked for no files at all.
  Result<store::State*> state() {
    const std::lock_guard lock(state_mutex_);
    if (!state_) {
      BELLJAR_TRY(state_, store::State::open(authority_.paths, clock_));
    }
    return state_.get();
  }

  struct Mounts {
    std::vector<policy::Mount> mounts;
    std::vector<MountProblem> problems;
  };

  OpenerAuthority authority_;
  SystemClock clock_;
  std::mutex state_mutex_;
  std::unique_ptr<store::State> state_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<const MountTable>> tables_;
  std::uint64_t next_table_ = 0;
};

}  // namespace

/// The server's ends of the sockets, lent to one request at a time.
class Opener::Channel {
 public:
  explicit Channel(std::array<UniqueFd, lanes> sockets) {
    for (UniqueFd& socket : sockets) {
      all_.push_back(socket.get());
      free_.push_back(std::move(socket));
    }
  }

  /// Ends the child. Whoever asks from now on, or waits, is told that it is gone.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      for (const int socket : all_) ::shutdown(socket, SHUT_RDWR);
    }
    available_.notify_all();
  }

  Result<Packet> ask(const Json& request) {
    // Before a socket is taken: what cannot be sent costs none.
    BELLJAR_TRY(std::string text, packet_text(request));
    UniqueFd socket;
    {
      std::unique_lock lock(mutex_);
      available_.wait(lock, [&] { return !free_.empty() || all_.empty() || closed_; });
      if (free_.empty() || closed_) return fail(ErrorCode::unavailable, "the opener is gone");
      socket = std::move(free_.back());
      free_.pop_back();
    }
    auto reply = exchange(socket.get(), std::move(text));
    {
      const std::lock_guard lock(mutex_);
      // A socket on which an answer is late would give it to the next who asks.
      if (reply) {
        free_.push_back(std::move(socket));
      } else {
        std::erase(all_, socket.get());
        socket.reset();
      }
    }
    available_.notify_one();
    if (!reply) return reply;
    const auto failure = reply->json.find("failure");
    if (failure != reply->json.end()) {
      return fail(reply->json.value("missing", false) ? ErrorCode::not_found : ErrorCode::storage,
                  "{}", failure->is_string() ? failure->get<std::string>() : "unknown failure");
    }
    return reply;
  }

 private:
  static Result<Packet> exchange(int socket, std::string text) {
    BELLJAR_CHECK(send_packet(socket, std::move(text)));
    BELLJAR_TRY(auto packet, receive_packet(socket));
    if (!packet) return fail(ErrorCode::unavailable, "the opener is gone");
    return *std::move(packet);
  }

  std::mutex mutex_;
  std::condition_variable available_;
  std::vector<UniqueFd> free_;
  /// The sockets that work, lent or not.
  std::vector<int> all_;
  bool closed_ = false;
};

namespace {

class RemoteMounts final : public MountTable {
 public:
  RemoteMounts(std::shared_ptr<Opener::Channel> channel, const Json& reply)
      : channel_(std::move(channel)), table_(reply.value("table", std::uint64_t{0})) {
    for (const Json& rule : reply.value("rules", Json::array())) {
      rules_.push_back(storage_rule_from_json(rule));
    }
    for (const Json& problem : reply.value("problems", Json::array())) {
      problems_.push_back({problem.value("guest", ""), problem.value("text", "")});
    }
  }
  ~RemoteMounts() override {
    static_cast<void>(channel_->ask({{"kind", "close"}, {"table", table_}}));
  }

  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<MountProblem>& problems() const override { return problems_; }

  FileAnswer perform(const engine::FileRequest& request) const override {
    FileAnswer failed;
    // Longer ones exist nowhere, and would not fit into a packet.
    for (const std::string* const text : {&request.path, &request.to_path, &request.target}) {
      if (text->size() < PATH_MAX) continue;
      failed.reply.error = ENAMETOOLONG;
      return failed;
    }
    auto reply =
        channel_->ask({{"kind", "file"}, {"table", table_}, {"request", to_json(request)}});
    if (!reply) {
      failed.reply.error = EIO;
      return failed;
    }
    FileAnswer answer = answer_from_json(reply->json);
    answer.reply.descriptor = std::move(reply->descriptor);
    return answer;
  }

 private:
  std::shared_ptr<Opener::Channel> channel_;
  std::uint64_t table_;
  std::vector<policy::StorageRule> rules_;
  std::vector<MountProblem> problems_;
};

/// Where the opener cannot be reached, nothing is open.
class NoMounts final : public MountTable {
 public:
  explicit NoMounts(std::string problem) : problems_{{{}, std::move(problem)}} {}
  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<MountProblem>& problems() const override { return problems_; }
  FileAnswer perform(const engine::FileRequest&) const override {
    FileAnswer answer;
    answer.reply.error = EBADF;
    return answer;
  }

 private:
  std::vector<policy::StorageRule> rules_;
  std::vector<MountProblem> problems_;
};

}  // namespace

Result<std::unique_ptr<Opener>> Opener::start(OpenerAuthority authority) {
  std::array<UniqueFd, lanes> ours;
  std::array<UniqueFd, lanes> theirs;
  for (std::size_t i = 0; i < lanes; ++i) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
      return fail(ErrorCode::internal, "the opener does not start: {}", errno_text(errno));
    }
    const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
    ::setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ours[i].reset(pair[0]);
    theirs[i].reset(pair[1]);
  }
  const pid_t child = ::fork();
  if (child < 0) {
    return fail(ErrorCode::internal, "the opener does not start: {}", errno_text(errno));
  }
  if (child == 0) {
    for (UniqueFd& socket : ours) socket.reset();
    OpenerProcess(std::move(authority)).run(std::move(theirs));
  }
  return std::unique_ptr<Opener>(new Opener(child, std::make_shared<Channel>(std::move(ours))));
}

Opener::~Opener() {
  // A confined process may not signal the child, so it is told by its sockets. Tables that are
  // still held keep the channel, and find that nobody answers.
  channel_->close();
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
}

std::shared_ptr<const MountTable> Opener::open(const store::ComponentKey& component,
                                               const policy::Snapshot& snapshot) {
  Json mounts = Json::array();
  for (const policy::Mount& mount : snapshot.mounts()) mounts.push_back(to_json(mount));
  auto reply = channel_->ask({{"kind", "mounts"},
                              {"name", component.name},
                              {"digest", component.digest},
                              {"mounts", std::move(mounts)}});
  if (!reply) return std::make_shared<NoMounts>(reply.error().describe());
  return std::make_shared<RemoteMounts>(channel_, reply->json);
}

Result<UniqueFd> Opener::open_file(const std::filesystem::path& path) {
  BELLJAR_TRY(Packet reply, channel_->ask({{"kind", "open"}, {"path", path.native()}}));
  if (!reply.descriptor) return fail(ErrorCode::storage, "{}: not opened", path.native());
  return std::move(reply.descriptor);
}

}  // namespace belljar::host
