#include "host/opener.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "host/keeper.h"
#include "host/opener_link.h"
#include "host/opener_process.h"
#include "support/result.h"

namespace belljar::host {
namespace {

using Clock = OpenerLink::Clock;

/// How long a component's file may take to be opened, and one operation of a guest.
constexpr std::chrono::seconds loading_patience{30};
constexpr std::chrono::seconds operation_patience{10};

/// The answer of the opener, or what it says went wrong.
Result<Packet> unless_failed(Result<Packet> reply) {
  if (!reply) return reply;
  const auto failure = reply->json.find("failure");
  if (failure == reply->json.end()) return reply;
  return fail(reply->json.value("missing", false) ? ErrorCode::not_found : ErrorCode::storage, "{}",
              failure->is_string() ? failure->get<std::string>() : "unknown failure");
}

/// Whether an operation that may have been done already can be done again.
bool can_be_repeated(const engine::FileRequest& request) {
  switch (request.operation) {
    case engine::FileOperation::open: return !request.create && !request.truncate;
    case engine::FileOperation::status:
    case engine::FileOperation::read_link: return true;
    default: return false;
  }
}

}  // namespace

/// The opener that is in use, and the folders of which it is known that they hang. Lives as long as
/// the last table.
class Opener::Links {
 public:
  explicit Links(std::unique_ptr<Keeper> keeper) : keeper_(std::move(keeper)) {}

  /// An opener that answers, as far as anybody knows. Made if there is none.
  Result<std::shared_ptr<OpenerLink>> current() {
    const std::lock_guard lock(mutex_);
    if (!keeper_) return fail(ErrorCode::unavailable, "files are not opened any more");
    if (!link_ || link_->is_worn()) {
      // The one before ends when the last who waits for it has left.
      link_.reset();
      BELLJAR_TRY(Helper helper, keeper_->make());
      link_ = std::make_shared<OpenerLink>(keeper_, std::move(helper));
    }
    return link_;
  }

  /// Ends everything. Whoever asks from now on, or waits, is told that nothing is opened any more.
  void close() {
    std::shared_ptr<OpenerLink> link;
    std::shared_ptr<Keeper> keeper;
    {
      const std::lock_guard lock(mutex_);
      link = std::move(link_);
      keeper = std::move(keeper_);
    }
    if (link) link->break_off();
  }

  [[nodiscard]] bool is_late(const std::filesystem::path& folder) {
    const std::lock_guard lock(mutex_);
    return late_.contains(folder);
  }
  void note(const std::filesystem::path& folder, bool late) {
    const std::lock_guard lock(mutex_);
    if (!late) {
      late_.erase(folder);
    } else if (late_.size() < maximum_late) {
      late_.insert(folder);
    }
  }

 private:
  /// Folders that hang; of more than that, each call that begins finds out for itself.
  static constexpr std::size_t maximum_late = 1'024;

  std::mutex mutex_;
  std::shared_ptr<Keeper> keeper_;
  std::shared_ptr<OpenerLink> link_;
  std::set<std::filesystem::path> late_;
};

namespace {

/// A folder as the openers know it.
class RemoteMount {
 public:
  RemoteMount(const store::ComponentKey& component, policy::Mount mount)
      : mount_(std::move(mount)),
        question_{{"kind", "mount"},
                  {"name", component.name},
                  {"digest", component.digest},
                  {"wanted", to_json(mount_)}} {}
  RemoteMount(const RemoteMount&) = delete;
  RemoteMount& operator=(const RemoteMount&) = delete;
  ~RemoteMount() {
    if (const auto link = link_.lock()) link->tell({{"kind", "close"}, {"mount", number_}});
  }

  [[nodiscard]] const policy::StorageRule& rule() const noexcept { return mount_.rule; }
  [[nodiscard]] const Json& question() const noexcept { return question_; }

  /// What an opener calls it; nothing if it has not opened it.
  [[nodiscard]] std::optional<std::uint64_t> number_of(const std::shared_ptr<OpenerLink>& link) {
    const std::lock_guard lock(mutex_);
    if (link_.lock() != link) return std::nullopt;
    return number_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    link_.reset();
  }
  void take(const std::shared_ptr<OpenerLink>& link, const Json& reply) {
    const auto number = reply.value("mount", std::uint64_t{0});
    const std::lock_guard lock(mutex_);
    // Somebody else was faster.
    if (link_.lock() == link) return link->tell({{"kind", "close"}, {"mount", number}});
    link_ = link;
    number_ = number;
  }

 private:
  const policy::Mount mount_;
  const Json question_;
  std::mutex mutex_;
  std::weak_ptr<OpenerLink> link_;
  std::uint64_t number_ = 0;
};

class RemoteMounts final : public MountTable {
 public:
  RemoteMounts(std::shared_ptr<Opener::Links> links, const store::ComponentKey& component,
               std::span<const policy::Mount> mounts)
      : links_(std::move(links)) {
    const auto deadline = Clock::now() + opening_patience;
    std::vector<Opening> openings;
    for (const policy::Mount& mount : mounts) openings.push_back(begin(component, mount, deadline));
    for (Opening& opening : openings) end(std::move(opening), deadline);
  }

  const std::vector<policy::StorageRule>& mounts() const override { return rules_; }
  const std::vector<MountProblem>& problems() const override { return problems_; }

  FileAnswer perform(const engine::FileRequest& request) const override {
    FileAnswer failed;
    if (const int error = error_of(request, mounts_.size()); error != 0) {
      failed.reply.error = error;
      return failed;
    }
    // Longer ones exist nowhere, and would not fit into a packet.
    for (const std::string* const text : {&request.path, &request.to_path, &request.target}) {
      if (text->size() < PATH_MAX) continue;
      failed.reply.error = ENAMETOOLONG;
      return failed;
    }
    const Shown& shown = mounts_[request.mount];
    const auto deadline = Clock::now() + operation_patience;
    // Once more if the opener was lost meanwhile, or has closed the folder.
    auto answer = attempt(shown, request, deadline);
    if (!answer && can_be_repeated(request) && Clock::now() < deadline) {
      answer = attempt(shown, request, deadline);
    }
    links_->note(shown.mount->rule().host, !answer && Clock::now() >= deadline);
    if (answer) return *std::move(answer);
    failed.reply.error = EIO;
    return failed;
  }

 private:
  struct Opening {
    std::shared_ptr<RemoteMount> mount;
    std::shared_ptr<OpenerLink> link;
    Result<OpenerLink::Question> question;
  };
  struct Shown {
    std::shared_ptr<RemoteMount> mount;
    /// Whether the guest sees the grant, since nobody knew yet what is there.
    bool as_granted = false;
  };

  Opening begin(const store::ComponentKey& component, const policy::Mount& mount,
                Clock::time_point deadline) {
    Opening opening{std::make_shared<RemoteMount>(component, mount), nullptr,
                    OpenerLink::Question{0}};
    // Opened when the guest needs it: waiting for it is waiting in vain.
    if (links_->is_late(mount.rule.host)) return opening;
    auto link = links_->current();
    if (!link) {
      opening.question = std::unexpected(std::move(link).error());
      return opening;
    }
    opening.link = *std::move(link);
    opening.question = opening.link->post(opening.mount->question(), deadline);
    return opening;
  }

  void end(Opening opening, Clock::time_point deadline) {
    const policy::StorageRule& granted = opening.mount->rule();
    if (!opening.question) {
      problems_.push_back({granted.guest, opening.question.error().message()});
      return;
    }
    auto reply = opening.link ? unless_failed(opening.link->wait(*opening.question, deadline))
                              : fail(ErrorCode::unavailable, "the folder does not answer");
    if (!reply) {
      if (opening.link) links_->note(granted.host, true);
      rules_.push_back(granted);
      mounts_.push_back({std::move(opening.mount), true});
      return;
    }
    if (const auto problem = reply->json.find("problem"); problem != reply->json.end()) {
      problems_.push_back({granted.guest, problem->get<std::string>()});
      return;
    }
    opening.mount->take(opening.link, reply->json);
    rules_.push_back(storage_rule_from_json(reply->json.value("rule", Json::object())));
    mounts_.push_back({std::move(opening.mount), false});
  }

  /// Nothing if there was no answer.
  std::optional<FileAnswer> attempt(const Shown& shown, const engine::FileRequest& request,
                                    Clock::time_point deadline) const {
    const auto link = links_->current();
    if (!link) return std::nullopt;
    auto number = shown.mount->number_of(*link);
    if (!number) {
      const auto opened = unless_failed((*link)->ask(shown.mount->question(), deadline));
      if (!opened) return std::nullopt;
      if (const auto problem = opened->json.find("problem"); problem != opened->json.end()) {
        FileAnswer answer;
        answer.reply.error = ENOENT;
        answer.problem = problem->get<std::string>();
        return answer;
      }
      shown.mount->take(*link, opened->json);
      number = opened->json.value("mount", std::uint64_t{0});
    }
    auto reply = unless_failed((*link)->ask({{"kind", "file"},
                                             {"mount", *number},
                                             {"as-granted", shown.as_granted},
                                             {"request", to_json(request)}},
                                            deadline));
    if (!reply) return std::nullopt;
    if (reply->json.contains("unknown")) {
      shown.mount->forget();
      return std::nullopt;
    }
    FileAnswer answer = answer_from_json(reply->json);
    answer.reply.descriptor = std::move(reply->descriptor);
    return answer;
  }

  std::shared_ptr<Opener::Links> links_;
  std::vector<Shown> mounts_;
  std::vector<policy::StorageRule> rules_;
  std::vector<MountProblem> problems_;
};

}  // namespace

Result<std::unique_ptr<Opener>> Opener::start(OpenerAuthority authority) {
  BELLJAR_TRY(auto keeper, Keeper::start([authority = std::move(authority)](UniqueFd socket) {
                OpenerProcess(authority, std::move(socket)).run();
              }));
  return std::unique_ptr<Opener>(new Opener(std::make_shared<Links>(std::move(keeper))));
}

Opener::~Opener() { links_->close(); }

std::shared_ptr<const MountTable> Opener::open(const store::ComponentKey& component,
                                               const policy::Snapshot& snapshot) {
  return std::make_shared<RemoteMounts>(links_, component, snapshot.mounts());
}

Result<UniqueFd> Opener::open_file(const std::filesystem::path& path) {
  const Json question{{"kind", "open"}, {"path", path.native()}};
  const auto deadline = Clock::now() + loading_patience;
  BELLJAR_TRY(auto link, links_->current());
  auto reply = unless_failed(link->ask(question, deadline));
  if (!reply && link->is_worn()) {
    BELLJAR_TRY(link, links_->current());
    reply = unless_failed(link->ask(question, deadline));
  }
  if (!reply) return std::unexpected(std::move(reply).error());
  if (!reply->descriptor) return fail(ErrorCode::storage, "{}: not opened", path.native());
  return std::move(reply->descriptor);
}

}  // namespace belljar::host
