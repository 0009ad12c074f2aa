// Symbolic and hard links.
#include "scenario.h"

SCENARIO("symlink_create", "a link is made, and leads to a file and to a folder") {
  make_file("file");
  told("to a file", __wasi_path_symlink("file", folder, "to-file"));
  __wasi_filestat_t status = {0};
  if (told("status", __wasi_path_filestat_get(folder, 0, "to-file", &status))) {
    number("  type", status.filetype);
  }
  if (told("followed", __wasi_path_filestat_get(folder, 1, "to-file", &status))) {
    number("  type", status.filetype);
  }
  make_folder("below");
  make_file("below/file");
  told("to a folder", __wasi_path_symlink("below", folder, "to-folder"));
  opened("to-folder/file", 0, READ);
  told("to a place outside", __wasi_path_symlink("/etc/passwd", folder, "to-outside"));
  told("over another", __wasi_path_symlink("file", folder, "to-file"));
  told("to nothing", __wasi_path_symlink("", folder, "empty"));
}

static void told_target(const char* path, size_t length) {
  uint8_t buffer[64] = {0};
  __wasi_size_t used = 0;
  printf("%s, room for %u: ", path, (unsigned)length);
  const __wasi_errno_t error = __wasi_path_readlink(folder, path, buffer, length, &used);
  printf("%s", error_name(error));
  if (error == 0) printf(", %u bytes, %.*s", (unsigned)used, (int)used, (const char*)buffer);
  printf("\n");
}

SCENARIO("readlink", "what a link says, in as much room as there is") {
  make_link("target", "link");
  told_target("link", 64);
  told_target("link", 6);
  told_target("link", 3);
  told_target("link", 0);
  make_file("file");
  told_target("file", 64);
  told_target("none", 64);
}

SCENARIO("symlink_filestat", "a link has a status of its own, and one that it leads to") {
  make_link("file", "link");
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "longer than the link");
  __wasi_filestat_t own = {0}, target = {0};
  if (told("own", __wasi_path_filestat_get(folder, 0, "link", &own))) {
    number("  type", own.filetype);
    number("  size", own.size);
  }
  if (told("target", __wasi_path_filestat_get(folder, 1, "link", &target))) {
    number("  type", target.filetype);
    number("  size", target.size);
  }
  printf("they are %s\n", own.ino == target.ino ? "the same" : "two");
}

SCENARIO("symlink_loop", "a link to itself leads nowhere") {
  make_link("loop", "loop");
  __wasi_fd_t at;
  told("open", __wasi_path_open(folder, 1, "loop", 0, READ, 0, 0, &at));
  told("not followed", __wasi_path_open(folder, 0, "loop", 0, READ, 0, 0, &at));
  told("below it", __wasi_path_open(folder, 0, "loop/x", 0, READ, 0, 0, &at));
  told("status", __wasi_path_filestat_get(folder, 1, "loop", &(__wasi_filestat_t){0}));
  told("unlink", __wasi_path_unlink_file(folder, "loop"));
}

SCENARIO("dangling_symlink", "a link to nothing") {
  make_link("nothing", "link");
  __wasi_fd_t at;
  told("open", __wasi_path_open(folder, 0, "link", 0, READ, 0, 0, &at));
  told("open a folder",
       __wasi_path_open(folder, 0, "link", __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &at));
  told("followed", __wasi_path_open(folder, 1, "link", 0, READ, 0, 0, &at));
  told("status", __wasi_path_filestat_get(folder, 0, "link", &(__wasi_filestat_t){0}));
  told("status, followed", __wasi_path_filestat_get(folder, 1, "link", &(__wasi_filestat_t){0}));
  told("unlink", __wasi_path_unlink_file(folder, "link"));
}

SCENARIO("nofollow_errors", "a link is not opened by those who do not follow") {
  make_folder("below");
  make_link("below", "link");
  __wasi_fd_t at;
  told("a folder", __wasi_path_open(folder, 0, "link", __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &at));
  told("anything", __wasi_path_open(folder, 0, "link", 0, READ, 0, 0, &at));
  told("followed", __wasi_path_open(folder, 1, "link", 0, READ, 0, 0, &at));
  told("followed, a folder",
       __wasi_path_open(folder, 1, "link", __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &at));
  told("unlink", __wasi_path_unlink_file(folder, "link"));
  make_file("file");
  make_link("file", "link");
  told("a file", __wasi_path_open(folder, 0, "link", 0, READ, 0, 0, &at));
  told("a file as a folder",
       __wasi_path_open(folder, 1, "link", __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &at));
  told("followed", __wasi_path_open(folder, 1, "link", 0, READ, 0, 0, &at));
  told("remove the link as a folder", __wasi_path_remove_directory(folder, "link"));
}

SCENARIO("path_symlink_trailing_slashes", "links whose names end in slashes") {
  told("to nothing", __wasi_path_symlink("source", folder, "target/"));
  told("at a slash", __wasi_path_symlink("source/", folder, "target"));
  make_folder("below");
  told("over a folder", __wasi_path_symlink("source", folder, "below/"));
  told("over a folder, plain", __wasi_path_symlink("source", folder, "below"));
  make_file("file");
  told("over a file", __wasi_path_symlink("source", folder, "file/"));
  told("over a file, plain", __wasi_path_symlink("source", folder, "file"));
}

SCENARIO("path_link", "a file gets a second name") {
  make_file("file");
  told("beside", __wasi_path_link(folder, 0, "file", folder, "link"));
  __wasi_filestat_t first = {0}, second = {0};
  told("status", __wasi_path_filestat_get(folder, 0, "file", &first));
  told("status of the second", __wasi_path_filestat_get(folder, 0, "link", &second));
  printf("they are %s\n", first.ino == second.ino ? "the same" : "two");
  number("names", second.nlink);
  make_folder("below");
  __wasi_fd_t below;
  told("below", open_with(folder, "below", __WASI_OFLAGS_DIRECTORY, READ, 0, &below));
  told("into a folder", __wasi_path_link(folder, 0, "file", below, "link"));
  told("over a file", __wasi_path_link(folder, 0, "file", folder, "link"));
  told("to itself", __wasi_path_link(folder, 0, "file", folder, "file"));
  told("over a folder", __wasi_path_link(folder, 0, "file", folder, "below"));
  told("of a folder", __wasi_path_link(folder, 0, "below", folder, "other"));
  told("with a slash", __wasi_path_link(folder, 0, "file", folder, "slash/"));
  told("of nothing", __wasi_path_link(folder, 0, "none", folder, "other"));
  make_link("target", "symbolic");
  told("of a link", __wasi_path_link(folder, 0, "symbolic", folder, "second"));
  told("over a link", __wasi_path_link(folder, 0, "file", folder, "symbolic"));
  told("of a link, followed", __wasi_path_link(folder, 1, "symbolic", folder, "third"));
}
