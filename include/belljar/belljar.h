// Everything that the library offers.
#pragma once

#include "belljar/capability.h"
#include "belljar/error.h"
#include "belljar/outcome.h"
#include "belljar/runtime.h"
