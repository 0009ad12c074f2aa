// Permissions that people gave: who, when, through which channel, for how long.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belljar/error.h"
#include "policy/document.h"
#include "policy/grant.h"
#include "store/pinned_places.h"
#include "store/state.h"

namespace belljar::store {

/// What a permission is bound to: the name a component is known by, and its content.
struct ComponentKey {
  std::string name;
  /// SHA-256 of the file, in hexadecimal.
  std::string digest;
  friend auto operator<=>(const ComponentKey&, const ComponentKey&) = default;
};

/// How long a grant holds.
struct GrantScope {
  std::optional<WallTime> until;
  /// Only in the server with this session id.
  std::optional<std::string> session;
  /// Only for so many calls.
  std::optional<std::int64_t> uses;
};

/// Who gives a permission.
struct Grantor {
  std::string who;
  std::string channel;
};

struct StoredGrant {
  std::int64_t id = 0;
  ComponentKey component;
  policy::Grant grant;
  GrantScope scope;
  WallTime granted_at;
  Grantor by;
};

/// A policy file that was approved, with its content at that moment.
struct StoredPolicy {
  ComponentKey component;
  std::string policy_digest;
  std::string path;
  std::string text;
  WallTime approved_at;
  Grantor by;
  /// What its paths led to at that moment.
  std::vector<PinnedPlace> places;

  /// Its rules, pinned to those places.
  [[nodiscard]] Result<policy::Document> document() const;
};

/// A permission that was asked for or missed.
struct StoredRequest {
  std::string id;
  ComponentKey component;
  std::string grant_text;
  std::string reason;
  WallTime first_at;
  WallTime last_at;
  std::int64_t times = 0;
};

/// What a component misses or an agent asks for, with the reason.
struct Wish {
  policy::Grant grant;
  std::string reason;
};

/// A request that does not wait any more.
struct EndedRequest {
  ComponentKey component;
  enum class How { answered, ran_out } how = How::ran_out;
  WallTime at;
};

/// The requests of one component that are kept, whatever its content: a newer one makes the
/// component's own oldest run out, and never another's.
inline constexpr std::int64_t requests_of_component = 256;
/// The requests that are kept in all. A component that has none then can note none.
inline constexpr std::int64_t requests_in_all = 16'384;

/// Reads and writes permissions. Every change is durable before it returns, and moves the grant
/// epoch on. Any thread.
class Grants {
 public:
  explicit Grants(State& state) : state_(state) {}

  /// Gives a permission and returns its number. A grant that is there already is replaced, unless
  /// it is for another session. A folder that nobody has looked at yet (`pin`) is looked at now.
  [[nodiscard]] Result<std::int64_t> add(const ComponentKey& component, const policy::Grant& given,
                                         const GrantScope& scope, const Grantor& by);
  /// Takes one permission back; false where there is none of this number.
  [[nodiscard]] Result<bool> revoke(std::int64_t id);
  /// Takes back everything that the component was given, its policy included; gives how many.
  [[nodiscard]] Result<std::int64_t> revoke_all(std::string_view component);
  /// Gives what one content was allowed to another of the same name: `belljar upgrade`.
  /// The old content keeps it until it is retired: servers may still run it.
  [[nodiscard]] Result<void> carry_over(const ComponentKey& from, const ComponentKey& to);
  /// Takes back what was given to one content.
  [[nodiscard]] Result<void> retire(const ComponentKey& component);

  /// Permissions that hold now; of one component, or all. Those in `claimed` also where no call is
  /// left.
  [[nodiscard]] Result<std::vector<StoredGrant>> list(
      const std::optional<ComponentKey>& component,
      std::span<const std::int64_t> claimed = {}) const;

  [[nodiscard]] Result<void> approve_policy(const ComponentKey& component, std::string_view path,
                                            std::string_view text, const Grantor& by);
  /// With what a person was shown that its paths lead to.
  [[nodiscard]] Result<void> approve_policy(const ComponentKey& component, std::string_view path,
                                            std::string_view text,
                                            const std::vector<PinnedPlace>& places,
                                            const Grantor& by);
  [[nodiscard]] Result<std::optional<StoredPolicy>> policy(const ComponentKey& component) const;

  /// Everything that holds for a component in the server with this session id.
  struct Effective {
    std::vector<policy::Document> documents;
    std::uint64_t epoch = 0;
    /// The earliest moment at which one of them ends.
    std::optional<WallTime> next_expiry;
    /// Grants that hold for a number of calls, of which `use_up` takes one away.
    std::vector<std::int64_t> counted;
  };
  /// Grants in `claimed` hold also where `use_up` took their last call: for the call that took it.
  [[nodiscard]] Result<Effective> effective(const ComponentKey& component, std::string_view session,
                                            std::span<const std::int64_t> claimed = {}) const;
  /// Takes one call away from each of these grants; false, and from none, where one of them has
  /// none left, because another process was faster or it was taken back.
  [[nodiscard]] Result<bool> use_up(const std::vector<std::int64_t>& counted);

  struct Noted {
    /// The id of each wish. The same wish has the same id again, as long as it waits.
    std::vector<std::string> ids;
    /// Requests of this component that ran out, to make room.
    std::vector<std::string> ran_out;
  };
  /// Notes what was asked for, in one transaction.
  [[nodiscard]] Result<Noted> note_requests(const ComponentKey& component,
                                            std::span<const Wish> wishes);
  [[nodiscard]] Result<std::vector<StoredRequest>> requests() const;
  [[nodiscard]] Result<std::optional<StoredRequest>> request(std::string_view id) const;
  /// What became of a request that does not wait any more. The last 256 of each component are
  /// known.
  [[nodiscard]] Result<std::optional<EndedRequest>> ended_request(std::string_view id) const;

 private:
  /// Notes which grants have ended: they stay so if the clock is set back. Under the lock.
  void note_ended(std::int64_t now) const;

  State& state_;
};

}  // namespace belljar::store
