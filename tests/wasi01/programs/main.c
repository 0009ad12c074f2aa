// Runs the scenario that the first argument names; without one, lists all, with their purposes.
#include <stdlib.h>

#include "scenario.h"

enum { most = 128 };

static struct {
  const char* name;
  const char* purpose;
  Steps steps;
} scenarios[most];
static int known;

void add_scenario(const char* name, const char* purpose, Steps steps) {
  if (known == most) abort();
  scenarios[known].name = name;
  scenarios[known].purpose = purpose;
  scenarios[known++].steps = steps;
}

// In the order of `errno` in wasi_snapshot_preview1.witx.
static const char* const error_names[] = {
    "ok",          "2big",           "acces",       "addrinuse",   "addrnotavail",
    "afnosupport", "again",          "already",     "badf",        "badmsg",
    "busy",        "canceled",       "child",       "connaborted", "connrefused",
    "connreset",   "deadlk",         "destaddrreq", "dom",         "dquot",
    "exist",       "fault",          "fbig",        "hostunreach", "idrm",
    "ilseq",       "inprogress",     "intr",        "inval",       "io",
    "isconn",      "isdir",          "loop",        "mfile",       "mlink",
    "msgsize",     "multihop",       "nametoolong", "netdown",     "netreset",
    "netunreach",  "nfile",          "nobufs",      "nodev",       "noent",
    "noexec",      "nolck",          "nolink",      "nomem",       "nomsg",
    "noprotoopt",  "nospc",          "nosys",       "notconn",     "notdir",
    "notempty",    "notrecoverable", "notsock",     "notsup",      "notty",
    "nxio",        "overflow",       "ownerdead",   "perm",        "pipe",
    "proto",       "protonosupport", "prototype",   "range",       "rofs",
    "spipe",       "srch",           "stale",       "timedout",    "txtbsy",
    "xdev",        "notcapable"};

const char* error_name(__wasi_errno_t error) {
  const size_t count = sizeof error_names / sizeof *error_names;
  return error < count ? error_names[error] : "no error of WASI 0.1";
}

int main(int count, char** arguments) {
  if (count < 2) {
    for (int i = 0; i < known; ++i) printf("%s\t%s\n", scenarios[i].name, scenarios[i].purpose);
    return 0;
  }
  for (int i = 0; i < known; ++i) {
    if (strcmp(scenarios[i].name, arguments[1]) != 0) continue;
    scenarios[i].steps(count - 1, arguments + 1);
    return 0;
  }
  printf("there is no scenario %s\n", arguments[1]);
  return 2;
}
