#include "support/system_call_filter.h"

#include <linux/sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace belljar {

SystemCallFilter::SystemCallFilter() : filter_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {
  whole_ = filter_ != nullptr &&
           seccomp_attr_set(filter_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
           seccomp_attr_set(filter_, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
           // A binary search: what the kernel cannot answer from its cache, because arguments
           // matter, shall not go through the whole list.
           seccomp_attr_set(filter_, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
}

SystemCallFilter::~SystemCallFilter() {
  if (filter_ != nullptr) seccomp_release(filter_);
}

void SystemCallFilter::allow(int call, std::initializer_list<ArgumentRule> rules) {
  std::array<scmp_arg_cmp, 6> conditions{};
  whole_ = whole_ && rules.size() <= conditions.size();
  // A negative number stands for a call that this machine does not have.
  if (!whole_ || call < 0) return;
  // What libseccomp's macros make, which are not C++.
  std::transform(rules.begin(), rules.end(), conditions.begin(), [](const ArgumentRule& rule) {
    return scmp_arg_cmp{
        .arg = rule.index, .op = SCMP_CMP_MASKED_EQ, .datum_a = rule.mask, .datum_b = rule.value};
  });
  whole_ = seccomp_rule_add_array(filter_, SCMP_ACT_ALLOW, call,
                                  static_cast<unsigned>(rules.size()), conditions.data()) == 0;
}

void SystemCallFilter::allow(std::initializer_list<int> calls) {
  for (const int call : calls) allow(call);
}

void SystemCallFilter::allow_threads() {
  // What a thread shares with its process, without which it would be a process.
  constexpr std::uint64_t shared =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  // What the C library has the kernel write down.
  constexpr std::uint64_t notes =
      CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  // clone3 hides its flags behind a pointer, so it is not there, and the C library takes clone.
  allow(SCMP_SYS(clone), {argument_bits(0, ~notes, shared)});
  allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(gettid),
         SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(exit),
         SCMP_SYS(exit_group)});
}

void SystemCallFilter::allow_signals_to_itself() {
  const auto self = static_cast<std::uint64_t>(::getpid());
  allow(SCMP_SYS(kill), {argument_is(0, self)});
  allow(SCMP_SYS(tgkill), {argument_is(0, self)});
  allow({SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
         SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall)});
}

bool SystemCallFilter::load() { return whole_ && seccomp_load(filter_) == 0; }

}  // namespace belljar
