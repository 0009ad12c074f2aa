// Arguments, variables, clocks, randomness, standard streams, and the end.
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

static void told_texts(const char* what, __wasi_size_t count, __wasi_size_t size,
                       __wasi_errno_t (*get)(uint8_t**, uint8_t*)) {
  uint8_t* texts[16];
  uint8_t bytes[1024];
  if (count > 16 || size > sizeof bytes) return;
  if (!told(what, get(texts, bytes))) return;
  for (__wasi_size_t i = 1; i < count; ++i) printf("  %s\n", (const char*)texts[i]);
}

SCENARIO("args_get_multiple_arguments", "arguments arrive as they were given, in their order") {
  __wasi_size_t number_of, size;
  if (told("sizes", __wasi_args_sizes_get(&number_of, &size))) {
    told_texts("arguments", number_of, size, __wasi_args_get);
  }
}

SCENARIO("args_sizes_get_multiple_arguments", "the number of arguments, and of their bytes") {
  __wasi_size_t number_of, size;
  if (!told("sizes", __wasi_args_sizes_get(&number_of, &size))) return;
  // The first is the program's own name, which engines choose.
  number("arguments", number_of);
  size_t sum = 0;
  for (int i = 0; i < count; ++i) sum += strlen(arguments[i]) + 1;
  printf("bytes: %s\n",
         size == sum + strlen(arguments[-1]) + 1 ? "as many as there are" : "others");
}

SCENARIO("args_sizes_get_no_arguments", "a program without arguments of its own gets no more") {
  __wasi_size_t number_of, size;
  if (told("sizes", __wasi_args_sizes_get(&number_of, &size))) number("arguments", number_of);
}

SCENARIO("environ_get_multiple_variables", "variables arrive as they were granted") {
  for (int i = 1; i < count; ++i) {
    const char* value = getenv(arguments[i]);
    printf("%s = %s\n", arguments[i], value ? value : "(not there)");
  }
}

SCENARIO("environ_sizes_get_multiple_variables", "the number of variables, and of their bytes") {
  __wasi_size_t number_of, size;
  if (!told("sizes", __wasi_environ_sizes_get(&number_of, &size))) return;
  number("variables", number_of);
  number("bytes", size);
}

SCENARIO("environ_sizes_get_no_variables", "without variables there are none, and no bytes") {
  __wasi_size_t number_of, size;
  if (!told("sizes", __wasi_environ_sizes_get(&number_of, &size))) return;
  number("variables", number_of);
  number("bytes", size);
}

SCENARIO("fd_write_to_invalid_fd", "a write to a number that stands for nothing") {
  wrote("write", nowhere, "lost");
}

SCENARIO("fd_write_to_stdout", "a write to standard output arrives") {
  wrote("write", 1, "hello\n");
}

SCENARIO("proc_exit_failure", "an exit code is passed on") {
  printf("ends with 33\n");
  exit(33);
}

SCENARIO("proc_exit_success", "an exit code of zero is success") {
  printf("ends with 0\n");
  exit(0);
}

SCENARIO("random_get_non_zero_length", "random bytes are there, and not the same twice") {
  uint8_t first[32] = {0}, second[32] = {0};
  told("first", __wasi_random_get(first, sizeof first));
  told("second", __wasi_random_get(second, sizeof second));
  printf("%s\n", memcmp(first, second, sizeof first) == 0 ? "the same" : "others");
}

SCENARIO("random_get_zero_length", "no random bytes are given, and none is written") {
  uint8_t byte = 7;
  told("none", __wasi_random_get(&byte, 0));
  number("byte", byte);
}

SCENARIO("big_random_buf", "more random bytes than a page") {
  static uint8_t bytes[200000];
  told("many", __wasi_random_get(bytes, sizeof bytes));
  size_t zeros = 0;
  for (size_t i = sizeof bytes - 4096; i < sizeof bytes; ++i) zeros += bytes[i] == 0;
  printf("the end of them is %s\n", zeros < 200 ? "random" : "not random");
}

static void told_resolution(clockid_t clock) {
  struct timespec resolution;
  const int result = clock_getres(clock, &resolution);
  number("result", (uint64_t)result);
  const bool some = resolution.tv_sec > 0 || resolution.tv_nsec > 0;
  printf("resolution: %s\n", some ? "more than nothing" : "nothing");
}

SCENARIO("clock_getres_monotonic", "the monotonic clock has a resolution") {
  told_resolution(CLOCK_MONOTONIC);
}

SCENARIO("clock_getres_realtime", "the clock on the wall has a resolution") {
  told_resolution(CLOCK_REALTIME);
}

static void told_time(clockid_t clock) {
  struct timespec first, second;
  number("first", (uint64_t)clock_gettime(clock, &first));
  number("second", (uint64_t)clock_gettime(clock, &second));
  const bool back = second.tv_sec < first.tv_sec ||
                    (second.tv_sec == first.tv_sec && second.tv_nsec < first.tv_nsec);
  printf("it went %s\n", back ? "back" : "on");
}

SCENARIO("clock_gettime_monotonic", "the monotonic clock does not go back") {
  told_time(CLOCK_MONOTONIC);
}

SCENARIO("clock_gettime_realtime", "the clock on the wall shows a time") {
  told_time(CLOCK_REALTIME);
}

SCENARIO("clock_time_get", "which clocks there are") {
  __wasi_timestamp_t time;
  told("real", __wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 1, &time));
  told("monotonic", __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &time));
  told("process", __wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 1, &time));
  told("thread", __wasi_clock_time_get(__WASI_CLOCKID_THREAD_CPUTIME_ID, 1, &time));
  told("resolution of the process's",
       __wasi_clock_res_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, &time));
}

SCENARIO("sched_yield", "a program may let others run") { told("yield", __wasi_sched_yield()); }

SCENARIO("isatty", "a folder and a file are no terminals") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  number("the folder", (uint64_t)isatty(folder));
  number("the file", (uint64_t)isatty((int)file));
}

SCENARIO("stdio", "the three standard streams can be asked about and moved") {
  for (__wasi_fd_t i = 0; i < 3; ++i) {
    __wasi_fdstat_t status;
    if (told("status", __wasi_fd_fdstat_get(i, &status))) {
      number("  type", status.fs_filetype);
      number("  rights", status.fs_rights_base);
      number("  flags", status.fs_flags);
    }
    told("seek", __wasi_fd_seek(i, 0, __WASI_WHENCE_CUR, &(__wasi_filesize_t){0}));
    told("size", __wasi_fd_filestat_set_size(i, 0));
    told("sync", __wasi_fd_sync(i));
  }
  __wasi_size_t size = 0;
  char byte;
  __wasi_iovec_t part = {(uint8_t*)&byte, 1};
  told("read at a place", __wasi_fd_pread(0, &part, 1, 0, &size));
  told("read standard output", __wasi_fd_read(1, &part, 1, &size));
  __wasi_ciovec_t text = {(const uint8_t*)"x", 1};
  told("write standard input", __wasi_fd_write(0, &text, 1, &size));
  told("write at a place", __wasi_fd_pwrite(1, &text, 1, 0, &size));
}

static __wasi_subscription_t for_time(uint64_t nanoseconds) {
  __wasi_subscription_t wanted = {.userdata = 1};
  wanted.u.tag = __WASI_EVENTTYPE_CLOCK;
  wanted.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
  wanted.u.u.clock.timeout = nanoseconds;
  return wanted;
}

static __wasi_subscription_t for_descriptor(uint8_t tag, __wasi_fd_t descriptor) {
  __wasi_subscription_t wanted = {.userdata = 100 + descriptor};
  wanted.u.tag = tag;
  wanted.u.u.fd_read.file_descriptor = descriptor;
  return wanted;
}

static void told_events(const char* what, const __wasi_subscription_t* wanted, size_t count) {
  __wasi_event_t events[4];
  __wasi_size_t happened = 0;
  if (!told(what, __wasi_poll_oneoff(wanted, events, count, &happened))) return;
  for (__wasi_size_t i = 0; i < happened; ++i) {
    printf("  %llu, type %u, %s\n", (unsigned long long)events[i].userdata,
           (unsigned)events[i].type, error_name(events[i].error));
  }
}

SCENARIO("poll_oneoff_stdio", "waiting for a time, for input and for room to write") {
  const __wasi_subscription_t moment = for_time(1000000);
  told_events("a moment", &moment, 1);
  const __wasi_subscription_t input[] = {for_time(60000000000),
                                         for_descriptor(__WASI_EVENTTYPE_FD_READ, 0)};
  told_events("input or a minute", input, 2);
  const __wasi_subscription_t output[] = {for_descriptor(__WASI_EVENTTYPE_FD_WRITE, 1),
                                          for_descriptor(__WASI_EVENTTYPE_FD_WRITE, 2)};
  told_events("output", output, 2);
  const __wasi_subscription_t wrong = for_descriptor(__WASI_EVENTTYPE_FD_READ, nowhere);
  told_events("nothing that is open", &wrong, 1);
  told_events("nothing at all", input, 0);
  __wasi_subscription_t clock = for_time(1);
  clock.u.u.clock.id = __WASI_CLOCKID_PROCESS_CPUTIME_ID;
  told_events("the clock of the process", &clock, 1);
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  const __wasi_subscription_t to_read = for_descriptor(__WASI_EVENTTYPE_FD_READ, file);
  told_events("a file to read", &to_read, 1);
  const __wasi_subscription_t to_write = for_descriptor(__WASI_EVENTTYPE_FD_WRITE, file);
  told_events("a file to write", &to_write, 1);
  const __wasi_subscription_t of_folder = for_descriptor(__WASI_EVENTTYPE_FD_READ, folder);
  told_events("a folder", &of_folder, 1);
}

SCENARIO("sock_shutdown_invalid_fd", "shutting a number down that stands for nothing") {
  told("shutdown", __wasi_sock_shutdown(nowhere, __WASI_SDFLAGS_RD));
}

SCENARIO("sock_shutdown_not_sock", "what is no socket is used as one") {
  told("shutdown", __wasi_sock_shutdown(folder, __WASI_SDFLAGS_RD));
  __wasi_size_t size = 0;
  __wasi_roflags_t flags = 0;
  uint8_t byte = 0;
  __wasi_iovec_t in = {&byte, 1};
  __wasi_ciovec_t out = {&byte, 1};
  told("receive", __wasi_sock_recv(folder, &in, 1, 0, &size, &flags));
  told("send", __wasi_sock_send(folder, &out, 1, 0, &size));
  told("accept", __wasi_sock_accept(folder, 0, &(__wasi_fd_t){0}));
}
