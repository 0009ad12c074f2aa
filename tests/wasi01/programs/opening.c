// The ways in which paths are opened.
#include <errno.h>

#include "scenario.h"

static void told_open(const char* path, const char* how) {
  FILE* file = fopen(path, how);
  printf("%s, %s: ", path, how);
  if (file) {
    printf("opened\n");
    (void)fclose(file);
  } else {
    printf("%s\n", error_name((__wasi_errno_t)errno));
  }
}

SCENARIO("fopen_with_access", "files of a granted folder, as libc opens them") {
  told_open("/file", "r");
  told_open("/file", "w");
  told_open("/file", "r");
  told_open("/file", "a");
  told_open("/file", "r+");
}

SCENARIO("fopen_with_no_access", "nothing is opened outside the granted folder") {
  told_open("/../outside", "r");
  told_open("/../../etc/passwd", "r");
  told_open("outside/none", "r");
}

SCENARIO("path_open_missing", "what is not there is not opened") {
  opened("none", 0, READ);
  opened("none/below", 0, READ);
  opened("none", __WASI_OFLAGS_DIRECTORY, READ);
  opened("none", __WASI_OFLAGS_TRUNC, READ | WRITE);
  opened("none/below", __WASI_OFLAGS_CREAT, READ | WRITE);
}

SCENARIO("path_open_create_existing", "a file is made only if it is not there") {
  opened("file", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, READ | WRITE);
  opened("file", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, READ | WRITE);
  opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  make_folder("below");
  opened("below", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, READ | WRITE);
  opened("below", __WASI_OFLAGS_CREAT, READ | WRITE);
  opened("new", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_DIRECTORY, READ | WRITE);
}

SCENARIO("path_open_dirfd_not_dir", "nothing lies below a file") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  __wasi_fd_t below;
  told("below a file", open_with(file, "x", __WASI_OFLAGS_CREAT, READ, 0, &below));
  told("below a stream", open_with(1, "x", 0, READ, 0, &below));
  told("below nothing", open_with(nowhere, "x", 0, READ, 0, &below));
  told("status below a file", __wasi_path_filestat_get(file, 0, "x", &(__wasi_filestat_t){0}));
  opened("file", __WASI_OFLAGS_DIRECTORY, READ);
}

SCENARIO("path_open_nonblock", "a file may be opened not to wait, and waits all the same") {
  make_file("file");
  __wasi_fd_t file;
  told("open", open_with(folder, "file", 0, READ | WRITE, __WASI_FDFLAGS_NONBLOCK, &file));
  __wasi_fdstat_t status = {0};
  if (told("status", __wasi_fd_fdstat_get(file, &status))) number("  flags", status.fs_flags);
  wrote("write", file, "text");
  told("synced", open_with(folder, "file", 0, READ | WRITE, __WASI_FDFLAGS_SYNC, &file));
  told("data synced", open_with(folder, "file", 0, READ | WRITE, __WASI_FDFLAGS_DSYNC, &file));
}

static void told_rights(__wasi_fd_t file) {
  __wasi_fdstat_t status = {0};
  if (!told("status", __wasi_fd_fdstat_get(file, &status))) return;
  number("  may read", (status.fs_rights_base & READ) != 0);
  number("  may write", (status.fs_rights_base & WRITE) != 0);
}

SCENARIO("path_open_read_write", "a file is read and written as it was opened to be") {
  const __wasi_fd_t made = opened("file", __WASI_OFLAGS_CREAT, READ);
  told_rights(made);
  wrote("write with it", made, "made");
  const __wasi_fd_t reader = opened("file", 0, READ);
  told_rights(reader);
  wrote("write with the reader", reader, "x");
  has_read("read", reader, 10);
  const __wasi_fd_t writer = opened("file", 0, WRITE);
  told_rights(writer);
  has_read("read with the writer", writer, 10);
  wrote("write", writer, "fifty");
  const __wasi_fd_t both = opened("file", 0, READ | WRITE);
  told_rights(both);
  has_read("read", both, 10);
  wrote("write", both, " more");
  told_size("size", both);
  const __wasi_fd_t neither = opened("file", 0, 0);
  told_rights(neither);
  has_read("read with neither", neither, 3);
}

SCENARIO("interesting_paths", "paths with dots, slashes, zeros, and ways out") {
  make_folder("dir");
  make_folder("dir/nested");
  make_file("dir/nested/file");
  opened("/dir/nested/file", 0, READ);
  opened("dir/.//nested/../../dir/nested/../nested///./file", 0, READ);
  opened("dir/nested/file/", 0, READ);
  opened("dir/nested/file///", 0, READ);
  opened("dir/nested/", 0, READ);
  opened("dir/nested///", 0, READ);
  opened("dir/nested/../../../dir/nested/file", 0, READ);
  opened("..", 0, READ);
  opened("dir/\xff", 0, READ);
  __wasi_fd_t dir;
  told("a folder below", open_with(folder, "dir", __WASI_OFLAGS_DIRECTORY, READ, 0, &dir));
  __wasi_fd_t out;
  told("out of it", open_with(dir, "../dir/nested/file", 0, READ, 0, &out));
}
