// A list of the system calls that a process may still make.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace belljar {

/// A condition on one argument of a system call, which is a number: what a pointer leads to cannot
/// be looked at.
struct ArgumentRule {
  unsigned index = 0;
  /// The bits that are compared.
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

/// The argument is this number, in its lower half: that is all the kernel reads of an `int`.
[[nodiscard]] constexpr ArgumentRule argument_is(unsigned index, std::uint64_t value) {
  return {index, 0xFFFF'FFFF, value};
}
/// Of the bits in `mask`, those in `value` are set and no others.
[[nodiscard]] constexpr ArgumentRule argument_bits(unsigned index, std::uint64_t mask,
                                                   std::uint64_t value) {
  return {index, mask, value};
}
/// The argument is a null pointer.
[[nodiscard]] constexpr ArgumentRule argument_is_null(unsigned index) {
  return {index, ~std::uint64_t{0}, 0};
}

/// Collects what is allowed, then puts it into force. Whatever is not allowed fails with ENOSYS, as
/// on a kernel that does not have the call: libraries are made for that, and do without. A call of
/// another machine's numbers (32 bits, x32) ends the process, for no program of this one makes it.
class SystemCallFilter {
 public:
  SystemCallFilter();
  ~SystemCallFilter();
  SystemCallFilter(const SystemCallFilter&) = delete;
  SystemCallFilter& operator=(const SystemCallFilter&) = delete;

  /// Allows a call if all the rules hold for its arguments. May be repeated with other rules.
  void allow(int call, std::initializer_list<ArgumentRule> rules = {});
  void allow(std::initializer_list<int> calls);
  /// Allows the C library to start threads of this process, and nobody to start another process.
  void allow_threads();
  /// Allows signals to this process and its threads, and to no other.
  void allow_signals_to_itself();

  /// Binds all threads of this process, and all that they start. Cannot be taken back. False if
  /// the kernel has no filters or one rule was not taken; then nothing is filtered.
  [[nodiscard]] bool load();

 private:
  void* filter_;
  bool whole_ = true;
};

}  // namespace belljar
