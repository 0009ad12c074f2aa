// Guests that make as many as they can of one thing, and keep them all.
#pragma once

#include <string>
#include <string_view>

namespace belljar::attacks {

/// A component whose function `hoard` (of a `count`) does one thing that often. `imports` stand
/// before it and end in `(core func $make …)`; `type` is that function's, `body` one call of it.
/// It has a memory `$memory` of two pages, with an allocator, at whose beginning results may go.
[[nodiscard]] std::string hoarder(std::string_view imports, std::string_view type,
                                  std::string_view body);

/// Of WASI 0.2.
[[nodiscard]] std::string hoard_of_pollables();
[[nodiscard]] std::string hoard_of_fields();
/// Of WASI 0.3 and the component model's own.
[[nodiscard]] std::string hoard_of_streams();
[[nodiscard]] std::string hoard_of_futures();
[[nodiscard]] std::string hoard_of_waitable_sets();
[[nodiscard]] std::string hoard_of_subtasks();

/// A resource `thing` that keeps its instance alive, with a method `sockets` (of a `count`) that
/// says how many it could make: of TCP and UDP in turn, over WASI 0.2.
[[nodiscard]] std::string hoard_of_sockets();
/// The same over WASI 0.3.
[[nodiscard]] std::string hoard_of_new_sockets();

/// Opens `file` of the first folder that it was granted, and reads it through as many streams as it
/// is told, of which it waits for each and takes nothing. `hoard` says how many there were.
[[nodiscard]] std::string hoard_of_input(std::string_view file);

/// Makes requests with a body that is written and never sent.
[[nodiscard]] std::string hoard_of_bodies();

/// Writes nothing to its standard output, again and again.
[[nodiscard]] std::string hoard_of_empty_writes();

/// Reads or writes one end of a stream, or of a future, and cancels that as if it were the other
/// end.
[[nodiscard]] std::string wrong_cancel(bool stream, bool reads);

/// A component of this many memories in each of some instances, with data in each of them, that
/// loops in `spin` and returns from `rest`. It does not fit the pool.
[[nodiscard]] std::string hoard_of_memories(int instances, int memories);

}  // namespace belljar::attacks
