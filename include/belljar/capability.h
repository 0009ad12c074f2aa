// Interfaces that an embedder gives to guests.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belljar {

/// A guest's call of one of the embedder's functions. The texts are there until `Capability::call`
/// returns; what needs them longer copies them.
struct CapabilityCall {
  std::string_view interface;
  std::string_view function;
  /// A JSON object: the arguments by name, converted as tools' results are.
  std::string_view arguments;
  /// The component that calls.
  std::string_view component;
};

/// Ends a capability call, once, from any thread: with the result as JSON text (for
/// `result<T, E>`: `{"ok": …}` or `{"err": …}`), or with a failure that stops the guest. The
/// first answer counts. A reply that is destroyed without one stops the guest.
class CapabilityReply {
 public:
  /// `end` takes whether it went well, and the result or the message.
  explicit CapabilityReply(std::move_only_function<void(bool, std::string)> end)
      : end_(std::move(end)) {}
  void complete(std::string json) { end_(true, std::move(json)); }
  void fail(std::string message) { end_(false, std::move(message)); }

 private:
  std::move_only_function<void(bool, std::string)> end_;
};

/// An interface that guests may import, where a policy allows it by its full name:
/// `capabilities: {allow: [{interface: "acme:kv/store@1.0.0"}]}`.
struct Capability {
  /// `acme:kv/store@1.0.0`
  std::string interface;
  std::vector<std::string> functions;
  /// Runs on a guest's small stack: it must not block, recurse deeply or throw. Slow work goes
  /// elsewhere and ends with the reply.
  std::function<void(const CapabilityCall&, CapabilityReply)> call;
};

}  // namespace belljar
