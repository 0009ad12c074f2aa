// What every scenario has: a name and a purpose, and the words in which it tells what happened.
//
// A scenario checks nothing itself. It does things and prints how each ended, so that two engines
// can be compared line by line. Nothing that it prints depends on the clock or on the machine.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

typedef void (*Steps)(int count, char** arguments);

// Takes a scenario up, before `main` runs.
void add_scenario(const char* name, const char* purpose, Steps steps);

// The name of an error number.
const char* error_name(__wasi_errno_t error);

// The name is a string, because libc has functions of some of the names.
#define SCENARIO(name, purpose) SCENARIO_AT(name, purpose, __LINE__)
#define SCENARIO_AT(name, purpose, line) SCENARIO_OF(name, purpose, line)
#define SCENARIO_OF(name, purpose, line)                      \
  static void steps_##line(int count, char** arguments);      \
  __attribute__((constructor)) static void add_##line(void) { \
    add_scenario(name, purpose, steps_##line);                \
  }                                                           \
  static void steps_##line([[maybe_unused]] int count, [[maybe_unused]] char** arguments)

// The granted folder.
enum { folder = 3, nowhere = 99 };

#define READ __WASI_RIGHTS_FD_READ
#define WRITE __WASI_RIGHTS_FD_WRITE

// Prints how something ended.
static inline bool told(const char* what, __wasi_errno_t error) {
  printf("%s: %s\n", what, error_name(error));
  return error == 0;
}

static inline void number(const char* what, uint64_t value) {
  printf("%s = %llu\n", what, (unsigned long long)value);
}

static inline __wasi_errno_t open_with(__wasi_fd_t from, const char* path, __wasi_oflags_t how,
                                       __wasi_rights_t rights, __wasi_fdflags_t flags,
                                       __wasi_fd_t* opened) {
  *opened = nowhere;
  return __wasi_path_open(from, 0, path, how, rights, 0, flags, opened);
}

// Opens, says how it ended, and gives the descriptor, or one that nobody has.
static inline __wasi_fd_t opened(const char* path, __wasi_oflags_t how, __wasi_rights_t rights) {
  __wasi_fd_t descriptor;
  printf("open \"%s\": %s\n", path,
         error_name(open_with(folder, path, how, rights, 0, &descriptor)));
  return descriptor;
}

// Makes an empty file.
static inline void make_file(const char* path) {
  __wasi_fd_t descriptor;
  if (open_with(folder, path, __WASI_OFLAGS_CREAT, READ | WRITE, 0, &descriptor) == 0) {
    (void)__wasi_fd_close(descriptor);
  } else {
    printf("\"%s\" cannot be made\n", path);
  }
}

static inline void make_folder(const char* path) {
  if (__wasi_path_create_directory(folder, path) != 0) printf("\"%s\" cannot be made\n", path);
}

static inline void make_link(const char* target, const char* path) {
  if (__wasi_path_symlink(target, folder, path) != 0) printf("\"%s\" cannot be linked\n", path);
}

static inline void wrote(const char* what, __wasi_fd_t descriptor, const char* text) {
  __wasi_ciovec_t part = {(const uint8_t*)text, strlen(text)};
  __wasi_size_t size = 0;
  if (told(what, __wasi_fd_write(descriptor, &part, 1, &size))) number("  bytes", size);
}

static inline void has_read(const char* what, __wasi_fd_t descriptor, size_t length) {
  char buffer[256] = {0};
  __wasi_iovec_t part = {(uint8_t*)buffer, length};
  __wasi_size_t size = 0;
  if (told(what, __wasi_fd_read(descriptor, &part, 1, &size))) {
    printf("  %u bytes, \"%.*s\"\n", (unsigned)size, (int)size, buffer);
  }
}

static inline void told_size(const char* what, __wasi_fd_t descriptor) {
  __wasi_filestat_t status;
  if (told(what, __wasi_fd_filestat_get(descriptor, &status))) number("  size", status.size);
}
