// What is done with folders, and with paths below them.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "scenario.h"

static int by_name(const void* left, const void* right) {
  return strcmp(*(const char* const*)left, *(const char* const*)right);
}

// Entries come in the order of the file system, so they are sorted before they are told.
static void told_names(const char** names, size_t count) {
  qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count; ++i) printf("  %s\n", names[i]);
}

SCENARIO("fdopendir_with_access", "the entries of a folder, as libc reads them") {
  make_folder("below");
  make_file("below/one");
  make_file("below/two");
  DIR* entries = opendir("/below");
  printf("opened: %s\n", entries ? "yes" : "no");
  if (!entries) return;
  const char* names[8];
  size_t known = 0;
  for (struct dirent* entry; known < 8 && (entry = readdir(entries)) != NULL;) {
    names[known++] = strdup(entry->d_name);
  }
  told_names(names, known);
  number("closed", (uint64_t)closedir(entries));
}

// Reads all entries with a buffer of this size, and tells how many there were of each kind.
static void told_entries(__wasi_fd_t from, size_t length) {
  static uint8_t buffer[4096];
  const char* names[64];
  size_t known = 0;
  bool same_file = true;
  __wasi_dircookie_t cookie = 0;
  while (known < 64) {
    __wasi_size_t used = 0;
    if (__wasi_fd_readdir(from, buffer, length, cookie, &used) != 0) break;
    size_t at = 0;
    for (__wasi_dirent_t entry; at + sizeof entry <= used; cookie = entry.d_next) {
      memcpy(&entry, buffer + at, sizeof entry);
      if (at + sizeof entry + entry.d_namlen > used) break;
      char* name = strndup((const char*)buffer + at + sizeof entry, entry.d_namlen);
      __wasi_filestat_t status;
      same_file &=
          strcmp(name, "..") == 0 || (__wasi_path_filestat_get(from, 0, name, &status) == 0 &&
                                      status.ino == entry.d_ino && status.filetype == entry.d_type);
      names[known++] = name;
      at += sizeof entry + entry.d_namlen;
    }
    if (used < length) break;
  }
  told_names(names, known);
  printf("their status says the same: %s\n", same_file ? "yes" : "no");
}

SCENARIO("fd_readdir", "the entries of a folder, in parts and from a cookie on") {
  __wasi_size_t used = 0;
  uint8_t buffer[512];
  told_entries(folder, sizeof buffer);
  make_file("file");
  make_folder("below");
  make_link("file", "link");
  for (int i = 0; i < 20; ++i) {
    char name[32];
    snprintf(name, sizeof name, "with-a-longer-name-%02d", i);
    make_file(name);
  }
  told_entries(folder, 4096);
  told_entries(folder, 100);
  if (told("too short", __wasi_fd_readdir(folder, buffer, 10, 0, &used))) number("  used", used);
  if (told("nothing", __wasi_fd_readdir(folder, buffer, 0, 0, &used))) number("  used", used);
  if (told("behind all", __wasi_fd_readdir(folder, buffer, 500, 999, &used)))
    number("  used", used);
  if (told("to the first", __wasi_fd_readdir(folder, buffer, 25, 0, &used))) number("  used", used);
  const __wasi_fd_t file = opened("file", 0, READ);
  told("a file", __wasi_fd_readdir(file, buffer, 500, 0, &used));
}

SCENARIO("directory_seek", "a folder has no position") {
  make_folder("below");
  const __wasi_fd_t below = opened("below", __WASI_OFLAGS_DIRECTORY, READ);
  told("seek", __wasi_fd_seek(below, 0, __WASI_WHENCE_CUR, &(__wasi_filesize_t){0}));
  told("tell", __wasi_fd_tell(below, &(__wasi_filesize_t){0}));
  __wasi_fdstat_t status = {0};
  if (told("status", __wasi_fd_fdstat_get(below, &status))) {
    number("  type", status.fs_filetype);
    number("  may seek", (status.fs_rights_base & __WASI_RIGHTS_FD_SEEK) != 0);
    number("  may write", (status.fs_rights_base & WRITE) != 0);
  }
}

SCENARIO("dir_fd_op_failures", "what can be done with files and not with folders") {
  uint8_t bytes[64];
  __wasi_size_t size = 0;
  __wasi_filestat_t status = {0};
  if (told("status", __wasi_fd_filestat_get(folder, &status))) number("  type", status.filetype);
  __wasi_prestat_t granted;
  if (told("grant", __wasi_fd_prestat_get(folder, &granted))) {
    number("  length of its name", granted.u.dir.pr_name_len);
  }
  told("name without room", __wasi_fd_prestat_dir_name(folder, bytes, 0));
  told("name with room", __wasi_fd_prestat_dir_name(folder, bytes, sizeof bytes));
  __wasi_iovec_t in = {bytes, sizeof bytes};
  __wasi_ciovec_t out = {bytes, sizeof bytes};
  told("read", __wasi_fd_read(folder, &in, 1, &size));
  told("read at a place", __wasi_fd_pread(folder, &in, 1, 0, &size));
  told("write", __wasi_fd_write(folder, &out, 1, &size));
  told("write at a place", __wasi_fd_pwrite(folder, &out, 1, 0, &size));
  told("seek", __wasi_fd_seek(folder, 0, __WASI_WHENCE_SET, &(__wasi_filesize_t){0}));
  told("seek to the end", __wasi_fd_seek(folder, 0, __WASI_WHENCE_END, &(__wasi_filesize_t){0}));
  told("tell", __wasi_fd_tell(folder, &(__wasi_filesize_t){0}));
  told("allocate", __wasi_fd_allocate(folder, 0, 1));
  told("size", __wasi_fd_filestat_set_size(folder, 0));
  told("sync", __wasi_fd_sync(folder));
  told("sync of data", __wasi_fd_datasync(folder));
  told("advice", __wasi_fd_advise(folder, 0, 0, 0));
}

SCENARIO("close_preopen", "a granted folder can be closed and is gone then") {
  make_folder("below");
  const __wasi_fd_t below = opened("below", __WASI_OFLAGS_DIRECTORY, READ);
  told("close", __wasi_fd_close(folder));
  told("close again", __wasi_fd_close(folder));
  told("grant", __wasi_fd_prestat_get(folder, &(__wasi_prestat_t){0}));
  __wasi_filestat_t status = {0};
  told("what was opened below it", __wasi_fd_filestat_get(below, &status));
  told("to its number", __wasi_fd_renumber(below, folder));
}

SCENARIO("overwrite_preopen", "another descriptor can take the number of a granted folder") {
  make_folder("below");
  make_file("below/file");
  const __wasi_fd_t below = opened("below", __WASI_OFLAGS_DIRECTORY, READ);
  told("renumber", __wasi_fd_renumber(below, folder));
  __wasi_filestat_t status;
  told("what is below it", __wasi_path_filestat_get(folder, 0, "file", &status));
  told("grant", __wasi_fd_prestat_get(folder, &(__wasi_prestat_t){0}));
  told("name", __wasi_fd_prestat_dir_name(folder, (uint8_t*)&status, 8));
}

SCENARIO("path_open_preopen", "the granted folder itself is opened, in several ways") {
  __wasi_fdstat_t status = {0};
  __wasi_fd_t self;
  if (told("status", __wasi_fd_fdstat_get(folder, &status))) {
    number("  rights", status.fs_rights_base);
    number("  below", status.fs_rights_inheriting);
  }
  told("all rights", __wasi_path_open(folder, 0, ".", 0, status.fs_rights_base,
                                      status.fs_rights_inheriting, 0, &self));
  told("as a folder", __wasi_path_open(folder, 0, ".", __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &self));
  told("to read", __wasi_path_open(folder, 0, ".", 0, READ, READ, 0, &self));
  told("to write", __wasi_path_open(folder, 0, ".", 0, READ | WRITE, 0, 0, &self));
  told("without a name", __wasi_path_open(folder, 0, "", 0, READ, 0, 0, &self));
}

SCENARIO("remove_nonempty_directory", "a folder with something in it stays") {
  make_folder("below");
  make_file("below/file");
  told("remove", __wasi_path_remove_directory(folder, "below"));
  told("unlink the folder", __wasi_path_unlink_file(folder, "below"));
  told("remove the file", __wasi_path_remove_directory(folder, "below/file"));
  told("unlink", __wasi_path_unlink_file(folder, "below/file"));
  told("remove", __wasi_path_remove_directory(folder, "below"));
  told("remove again", __wasi_path_remove_directory(folder, "below"));
}

SCENARIO("remove_directory_trailing_slashes",
         "removing folders and files, with slashes at the end") {
  make_folder("below");
  told("a folder", __wasi_path_remove_directory(folder, "below"));
  make_folder("below");
  told("a folder with a slash", __wasi_path_remove_directory(folder, "below/"));
  make_file("file");
  told("a file", __wasi_path_remove_directory(folder, "file"));
  told("a file with a slash", __wasi_path_remove_directory(folder, "file/"));
}

SCENARIO("unlink_file_trailing_slashes", "unlinking files and folders, with slashes at the end") {
  make_folder("below");
  told("a folder", __wasi_path_unlink_file(folder, "below"));
  told("a folder with a slash", __wasi_path_unlink_file(folder, "below/"));
  make_file("file");
  told("a file with a slash", __wasi_path_unlink_file(folder, "file/"));
  told("a file", __wasi_path_unlink_file(folder, "file"));
}

SCENARIO("path_rename", "files and folders are renamed, onto nothing and onto others") {
  make_folder("source");
  told("a folder", __wasi_path_rename(folder, "source", folder, "target"));
  told("its old name", __wasi_path_filestat_get(folder, 0, "source", &(__wasi_filestat_t){0}));
  make_folder("source");
  told("onto an empty folder", __wasi_path_rename(folder, "source", folder, "target"));
  make_folder("source");
  make_file("target/file");
  told("onto a full folder", __wasi_path_rename(folder, "source", folder, "target"));
  make_file("file");
  told("a folder onto a file", __wasi_path_rename(folder, "source", folder, "file"));
  told("a file onto a folder", __wasi_path_rename(folder, "file", folder, "source"));
  make_file("other");
  told("onto a file", __wasi_path_rename(folder, "file", folder, "other"));
  told("nothing", __wasi_path_rename(folder, "nothing", folder, "new"));
  told("into itself", __wasi_path_rename(folder, "target", folder, "target/below"));
}

SCENARIO("path_rename_dir_trailing_slashes", "renaming folders, with slashes at the end") {
  make_folder("source");
  told("from", __wasi_path_rename(folder, "source/", folder, "target"));
  told("to", __wasi_path_rename(folder, "target", folder, "source/"));
  told("both", __wasi_path_rename(folder, "source/", folder, "target/"));
}

SCENARIO("path_exists", "what is there and what is not, with and without following") {
  make_folder("below");
  make_file("below/file");
  make_link("below", "link");
  __wasi_filestat_t status;
  static const char* const paths[] = {"below",        "below/", "below/file", "below/none",
                                      "below/file/",  "link",   "link/file",  "none/file",
                                      "below/file/x", "."};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    for (__wasi_lookupflags_t follow = 0; follow < 2; ++follow) {
      printf("%s%s: ", paths[i], follow ? ", followed" : "");
      const __wasi_errno_t error = __wasi_path_filestat_get(folder, follow, paths[i], &status);
      printf("%s", error_name(error));
      if (error == 0) printf(", type %u", (unsigned)status.filetype);
      printf("\n");
    }
  }
}

SCENARIO("path_filestat", "the status of a path, and its times set") {
  const __wasi_fd_t file = opened("file", __WASI_OFLAGS_CREAT, READ | WRITE);
  wrote("write", file, "four");
  __wasi_filestat_t status = {0};
  if (told("status", __wasi_path_filestat_get(folder, 0, "file", &status))) {
    number("  type", status.filetype);
    number("  size", status.size);
    number("  links", status.nlink);
  }
  told("times", __wasi_path_filestat_set_times(folder, 0, "file", 1000000000, 2000000000,
                                               __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
  if (told("status", __wasi_path_filestat_get(folder, 0, "file", &status))) {
    number("  read", status.atim);
    number("  changed", status.mtim);
  }
  told("now", __wasi_path_filestat_set_times(folder, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
  if (told("status", __wasi_path_filestat_get(folder, 0, "file", &status))) {
    printf("  changed %s\n", status.mtim > 2000000000 ? "now" : "then");
  }
  told("none", __wasi_path_filestat_set_times(folder, 0, "none", 0, 0, __WASI_FSTFLAGS_MTIM));
  make_link("file", "link");
  told("of a link", __wasi_path_filestat_set_times(folder, 0, "link", 5, 5, __WASI_FSTFLAGS_MTIM));
  if (told("status", __wasi_path_filestat_get(folder, 0, "link", &status))) {
    number("  changed", status.mtim);
  }
}
