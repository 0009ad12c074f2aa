#include "support/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "support/file.h"
#include "support/result.h"

namespace belljar {

Result<void> settle_descriptors() {
  const auto failed = [] {
    return fail(ErrorCode::internal, "the standard streams cannot be opened: {}",
                errno_text(errno));
  };
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // For reading, all three: what is written to a stream that was closed is not to vanish unseen.
    const int opened = ::open("/dev/null", O_RDONLY);
    if (opened < 0) return failed();
    // The lowest number that is free, which is this one: those below it are open.
    if (opened != stream) return failed();
  }
  if (::close_range(STDERR_FILENO + 1, UINT_MAX, 0) != 0) return failed();
  return {};
}

}  // namespace belljar
