// What is done with open files.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "scenario.h"

SCENARIO("lseek", "the position of a file, moved from its start, itself and its end") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "0123456789");
  number("start", (uint64_t)lseek((int)file, 4, SEEK_SET));
  number("here", (uint64_t)lseek((int)file, 3, SEEK_CUR));
  number("end", (uint64_t)lseek((int)file, -2, SEEK_END));
  has_read("read", file, 10);
  number("before the start", (uint64_t)lseek((int)file, -1, SEEK_SET));
  number("beyond the end", (uint64_t)lseek((int)file, 100, SEEK_SET));
  has_read("read there", file, 10);
}

SCENARIO("file_seek_tell", "the position moves with reads and writes, and may lie behind the end") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  __wasi_filesize_t at = 0;
  if (told("tell", __wasi_fd_tell(file, &at))) number("  at", at);
  wrote("write", file, "hundred");
  if (told("tell", __wasi_fd_tell(file, &at))) number("  at", at);
  if (told("back", __wasi_fd_seek(file, -3, __WASI_WHENCE_CUR, &at))) number("  at", at);
  if (told("start", __wasi_fd_seek(file, 0, __WASI_WHENCE_SET, &at))) number("  at", at);
  if (told("far", __wasi_fd_seek(file, 1000, __WASI_WHENCE_CUR, &at))) number("  at", at);
  told("before the start", __wasi_fd_seek(file, -2000, __WASI_WHENCE_CUR, &at));
  told("before the start of all", __wasi_fd_seek(file, -1, __WASI_WHENCE_SET, &at));
  if (told("tell", __wasi_fd_tell(file, &at))) number("  at", at);
  wrote("write there", file, "x");
  told_size("size", file);
}

SCENARIO("pread_with_access", "reading at a place leaves the position") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "0123456789");
  char buffer[8] = {0};
  number("read", (uint64_t)pread((int)file, buffer, 4, 3));
  printf("%.4s\n", buffer);
  number("position", (uint64_t)lseek((int)file, 0, SEEK_CUR));
  number("beyond the end", (uint64_t)pread((int)file, buffer, 4, 30));
  number("nothing", (uint64_t)pread((int)file, buffer, 0, 3));
}

SCENARIO("pwrite_with_access", "writing at a place leaves the position") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "0123456789");
  number("written", (uint64_t)pwrite((int)file, "ab", 2, 4));
  number("position", (uint64_t)lseek((int)file, 0, SEEK_CUR));
  number("start", (uint64_t)lseek((int)file, 0, SEEK_SET));
  has_read("read", file, 20);
}

SCENARIO("pwrite_with_append", "a file that is appended to is written at its end") {
  const int file = open("/file", O_CREAT | O_RDWR | O_APPEND, 0644);
  printf("opened: %s\n", file > 2 ? "yes" : "no");
  number("written", (uint64_t)write(file, "0123", 4));
  number("written at a place", (uint64_t)pwrite(file, "ab", 2, 0));
  number("start", (uint64_t)lseek(file, 0, SEEK_SET));
  has_read("read", (__wasi_fd_t)file, 20);
}

SCENARIO("file_pread_pwrite", "several parts at a place, and places that no file has") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  __wasi_size_t size = 0;
  __wasi_ciovec_t out[] = {{(const uint8_t*)"", 0}, {(const uint8_t*)"abcdef", 6}};
  if (told("write", __wasi_fd_pwrite(file, out, 2, 2, &size))) number("  bytes", size);
  uint8_t first[4] = {0};
  __wasi_iovec_t in[] = {{first, 0}, {first, 4}};
  if (told("read", __wasi_fd_pread(file, in, 2, 3, &size))) {
    printf("  %u bytes, %.4s\n", (unsigned)size, (const char*)first);
  }
  told_size("size", file);
  if (told("read nothing", __wasi_fd_pread(file, in, 1, 0, &size))) number("  bytes", size);
  if (told("no parts", __wasi_fd_pread(file, in, 0, 0, &size))) number("  bytes", size);
  told("read at the last place", __wasi_fd_pread(file, in, 2, UINT64_MAX, &size));
  told("read behind all places", __wasi_fd_pread(file, in, 2, (uint64_t)1 << 63, &size));
  told("write at the last place", __wasi_fd_pwrite(file, out, 2, UINT64_MAX, &size));
  told("write to a folder", __wasi_fd_pwrite(folder, out, 2, 0, &size));
}

SCENARIO("file_unbuffered_write",
         "what was written can be read at once through another descriptor") {
  const __wasi_fd_t writer = opened("file", __WASI_OFLAGS_CREAT, WRITE);
  const __wasi_fd_t reader = opened("file", 0, READ);
  wrote("write", writer, "seen");
  has_read("read", reader, 10);
  wrote("write more", writer, " again");
  has_read("read more", reader, 10);
}

SCENARIO("file_truncation", "a file is emptied by opening it so") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "0123456789");
  const __wasi_fd_t again = opened("file", __WASI_OFLAGS_TRUNC, READ | WRITE);
  told_size("size", again);
  told("longer", __wasi_fd_filestat_set_size(again, 5));
  told_size("size", again);
  has_read("read", again, 10);
}

SCENARIO("truncation_rights", "who may change the size of a file") {
  make_file("file");
  const __wasi_fd_t reader = opened("file", 0, READ);
  told("with a reader", __wasi_fd_filestat_set_size(reader, 5));
  const __wasi_fd_t writer = opened("file", 0, WRITE);
  told("with a writer", __wasi_fd_filestat_set_size(writer, 5));
  const __wasi_fd_t emptied = opened("file", __WASI_OFLAGS_TRUNC, READ);
  told_size("size", emptied);
  told("a folder", __wasi_fd_filestat_set_size(folder, 5));
}

SCENARIO("file_allocate", "room for a file cannot be had beforehand") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  told("a file", __wasi_fd_allocate(file, 0, 100));
  told("a folder", __wasi_fd_allocate(folder, 0, 100));
  told("nothing", __wasi_fd_allocate(nowhere, 0, 100));
  told_size("size", file);
}

SCENARIO("fd_advise", "advice about a file is taken, and changes nothing") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  told("will be needed", __wasi_fd_advise(file, 0, 100, __WASI_ADVICE_WILLNEED));
  told("a folder", __wasi_fd_advise(folder, 0, 0, __WASI_ADVICE_NORMAL));
  told_size("size", file);
}

SCENARIO("fd_filestat_set", "the size and the times of an open file are set") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  told("size", __wasi_fd_filestat_set_size(file, 100));
  told_size("size", file);
  told("times", __wasi_fd_filestat_set_times(file, 0, 1234567890, __WASI_FSTFLAGS_MTIM));
  __wasi_filestat_t status = {0};
  if (told("status", __wasi_fd_filestat_get(file, &status))) number("  changed", status.mtim);
}

SCENARIO("fstflags_validate", "a time cannot be given and be now at once") {
  make_file("file");
  const __wasi_fd_t file = opened("file", 0, READ | WRITE);
  const __wasi_fstflags_t both = __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW;
  const __wasi_fstflags_t changed = __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW;
  told("access", __wasi_fd_filestat_set_times(file, 1, 1, both));
  told("change", __wasi_fd_filestat_set_times(file, 1, 1, changed));
  told("access of a path", __wasi_path_filestat_set_times(folder, 0, "file", 1, 1, both));
  told("change of a path", __wasi_path_filestat_set_times(folder, 0, "file", 1, 1, changed));
  told("neither", __wasi_fd_filestat_set_times(file, 1, 1, 0));
  told("now", __wasi_fd_filestat_set_times(file, 1, 1, __WASI_FSTFLAGS_MTIM_NOW));
}

static void told_flags(__wasi_fd_t file) {
  __wasi_fdstat_t status;
  if (told("status", __wasi_fd_fdstat_get(file, &status))) number("  flags", status.fs_flags);
}

SCENARIO("fd_flags_set", "flags of an open file are changed") {
  __wasi_fd_t file;
  told("open",
       open_with(folder, "file", __WASI_OFLAGS_CREAT, READ | WRITE, __WASI_FDFLAGS_APPEND, &file));
  told_flags(file);
  wrote("write", file, "aaaa");
  told("start", __wasi_fd_seek(file, 0, __WASI_WHENCE_SET, &(__wasi_filesize_t){0}));
  wrote("write appended", file, "bbbb");
  told("no flags", __wasi_fd_fdstat_set_flags(file, 0));
  told_flags(file);
  told("start", __wasi_fd_seek(file, 0, __WASI_WHENCE_SET, &(__wasi_filesize_t){0}));
  wrote("write in place", file, "cc");
  told("start", __wasi_fd_seek(file, 0, __WASI_WHENCE_SET, &(__wasi_filesize_t){0}));
  has_read("read", file, 20);
  told("append again", __wasi_fd_fdstat_set_flags(file, __WASI_FDFLAGS_APPEND));
  told("not waiting", __wasi_fd_fdstat_set_flags(file, __WASI_FDFLAGS_NONBLOCK));
  told_flags(file);
  told("synced", __wasi_fd_fdstat_set_flags(file, __WASI_FDFLAGS_SYNC));
  told("a folder", __wasi_fd_fdstat_set_flags(folder, __WASI_FDFLAGS_APPEND));
}

SCENARIO("fd_fdstat_set_rights", "rights cannot be laid down") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  told("a file", __wasi_fd_fdstat_set_rights(file, READ, 0));
  told("a folder", __wasi_fd_fdstat_set_rights(folder, READ, 0));
  told("nothing", __wasi_fd_fdstat_set_rights(nowhere, READ, 0));
}

SCENARIO("dangling_fd", "an open file lives on after its name is gone") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  told("unlink", __wasi_path_unlink_file(folder, "file"));
  wrote("write", file, "still");
  told_size("size", file);
  told("close", __wasi_fd_close(file));
  told("close again", __wasi_fd_close(file));
  make_folder("below");
  const __wasi_fd_t below = opened("below", __WASI_OFLAGS_DIRECTORY, READ);
  told("remove", __wasi_path_remove_directory(folder, "below"));
  told("close", __wasi_fd_close(below));
}

SCENARIO("renumber", "a descriptor takes another's number") {
  const __wasi_fd_t first = opened("first", __WASI_OFLAGS_CREAT, READ | WRITE);
  const __wasi_fd_t second = opened("second", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", first, "first");
  told("renumber", __wasi_fd_renumber(first, second));
  told("the old number", __wasi_fd_close(first));
  told_size("size", second);
  told("to itself", __wasi_fd_renumber(second, second));
  told("from nothing", __wasi_fd_renumber(nowhere, second));
  told("to nothing", __wasi_fd_renumber(second, nowhere));
}

SCENARIO("stat_dev_ino", "two names of one file are told to be one, two files are not") {
  make_file("one");
  make_file("two");
  __wasi_filestat_t one = {0}, again = {0}, two = {0};
  told("one", __wasi_path_filestat_get(folder, 0, "one", &one));
  told("again", __wasi_path_filestat_get(folder, 0, "./one", &again));
  told("two", __wasi_path_filestat_get(folder, 0, "two", &two));
  printf("one and again: %s\n", one.dev == again.dev && one.ino == again.ino ? "same" : "others");
  printf("one and two: %s\n", one.dev == two.dev && one.ino == two.ino ? "same" : "others");
}
