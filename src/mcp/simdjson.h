// simdjson without what throws: an error of a client's is a value here, and what is not asked for
// its error does not compile.
#pragma once

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>
