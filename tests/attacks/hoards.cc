#include "hoards.h"

#include <fmt/format.h>

namespace belljar::attacks {
namespace {

constexpr std::string_view allocator = R"(
  (core module $alone (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $alone (instantiate $alone))
  (alias core export $alone "memory" (core memory $memory))
  (alias core export $alone "realloc" (core func $realloc))
)";

/// Output streams of WASI 0.2, with the core functions `$check` and `$write`.
constexpr std::string_view output_streams = R"(
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $e)) (export "error" (type $ee (eq $e)))
    (type $failed (variant (case "last-operation-failed" (own $ee)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failed)))
    (export "output-stream" (type $output (sub resource)))
    (export "[method]output-stream.check-write" (func (param "self" (borrow $output))
      (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.write" (func (param "self" (borrow $output))
      (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output))
  (core func $check (canon lower (func $streams "[method]output-stream.check-write")
    (memory $memory)))
  (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory)))
)";

/// A resource that keeps its instance alive, whose method makes sockets. `imports` end in the core
/// functions `$tcp` and `$udp`, which put a result at 0.
std::string socket_hoarder(std::string_view imports) {
  return fmt::format(R"((component {}
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $m
    (import "" "memory" (memory 2))
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "tcp" (func $tcp (param i32 i32)))
    (import "" "udp" (func $udp (param i32 i32)))
    (func (export "make") (result i32) (call $new (i32.const 1)))
    (func (export "sockets") (param $self i32) (param $count i32) (result i32)
      (local $i i32) (local $made i32)
      (loop $again
        (if (i32.and (local.get $i) (i32.const 1))
          (then (call $udp (i32.const 0) (i32.const 0)))
          (else (call $tcp (i32.const 0) (i32.const 0))))
        (local.set $made (i32.add (local.get $made) (i32.eqz (i32.load8_u (i32.const 0)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (local.get $made)))
  (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory))
    (export "new" (func $new)) (export "tcp" (func $tcp)) (export "udp" (func $udp))))))
  (func $make (result (own $thing)) (canon lift (core func $i "make")))
  (func $sockets (param "self" (borrow $thing)) (param "count" u32) (result u32)
    (canon lift (core func $i "sockets")))
  (component $named
    (import "thing" (type $t (sub resource)))
    (import "make" (func $make (result (own $t))))
    (import "sockets" (func $sockets (param "self" (borrow $t)) (param "count" u32) (result u32)))
    (export $e "thing" (type $t))
    (export "[constructor]thing" (func $make) (func (result (own $e))))
    (export "[method]thing.sockets" (func $sockets)
      (func (param "self" (borrow $e)) (param "count" u32) (result u32))))
  (instance $api (instantiate $named (with "thing" (type $thing)) (with "make" (func $make))
    (with "sockets" (func $sockets))))
  (export "test:hold/api" (instance $api))))",
                     imports);
}

}  // namespace

std::string hoarder(std::string_view imports, std::string_view type, std::string_view body) {
  return fmt::format(R"((component {}{}
  (core module $m
    (import "" "memory" (memory 2))
    (import "" "make" (func $make {}))
    (func (export "hoard") (param $count i32) (result i32) (local $i i32)
      (loop $again
        {}
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (local.get $i)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "make" (func $make))))))
  (func (export "hoard") (param "count" u32) (result u32) (canon lift (core func $i "hoard")))))",
                     allocator, imports, type, body);
}

std::string hoard_of_pollables() {
  return hoarder(R"(
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type $pp (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pp))))))
  (core func $make (canon lower (func $clock "subscribe-duration"))))",
                 "(param i64) (result i32)", "(drop (call $make (i64.const 1000000000000)))");
}

std::string hoard_of_fields() {
  // Each with one header of 60,000 bytes.
  return hoarder(R"(
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (type $error (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $error)))
    (type $value (list u8))
    (export "field-value" (type $field-value (eq $value)))
    (type $entry (tuple string $field-value))
    (export "[static]fields.from-list" (func (param "entries" (list $entry))
      (result (result (own $fields) (error $header-error)))))))
  (core func $make (canon lower (func $http "[static]fields.from-list") (memory $memory)
    (realloc $realloc))))",
                 "(param i32 i32 i32)", R"(
        (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 1))
        (i32.store (i32.const 72) (i32.const 2048)) (i32.store (i32.const 76) (i32.const 60000))
        (i32.store8 (i32.const 128) (i32.const 97))
        (memory.fill (i32.const 2048) (i32.const 97) (i32.const 60000))
        (call $make (i32.const 64) (i32.const 1) (i32.const 0))
        (if (i32.load8_u (i32.const 0)) (then unreachable)))");
}

std::string hoard_of_streams() {
  return hoarder("(type $s (stream u8)) (core func $make (canon stream.new $s))", "(result i64)",
                 "(drop (call $make))");
}

std::string hoard_of_futures() {
  return hoarder("(type $s (future u8)) (core func $make (canon future.new $s))", "(result i64)",
                 "(drop (call $make))");
}

std::string hoard_of_waitable_sets() {
  return hoarder("(core func $make (canon waitable-set.new))", "(result i32)",
                 "(drop (call $make))");
}

std::string hoard_of_subtasks() {
  return hoarder(R"(
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "wait-for" (func async (param "how-long" u64)))))
  (core func $make (canon lower (func $clock "wait-for") async)))",
                 "(param i64) (result i32)", "(drop (call $make (i64.const 1000000000000)))");
}

std::string hoard_of_sockets() {
  return socket_hoarder(std::string(allocator) + R"(
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))))
  (alias export $network "error-code" (type $code-type))
  (alias export $network "ip-address-family" (type $family-type))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-type))
  (import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $udp "udp-socket" (type $udp-type))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create-tcp
    (alias outer 1 $code-type (type $c)) (export "error-code" (type $cc (eq $c)))
    (alias outer 1 $family-type (type $f)) (export "ip-address-family" (type $ff (eq $f)))
    (alias outer 1 $tcp-type (type $t)) (export "tcp-socket" (type $tt (eq $t)))
    (export "create-tcp-socket" (func (param "address-family" $ff)
      (result (result (own $tt) (error $cc)))))))
  (import "wasi:sockets/udp-create-socket@0.2.0" (instance $create-udp
    (alias outer 1 $code-type (type $c)) (export "error-code" (type $cc (eq $c)))
    (alias outer 1 $family-type (type $f)) (export "ip-address-family" (type $ff (eq $f)))
    (alias outer 1 $udp-type (type $t)) (export "udp-socket" (type $tt (eq $t)))
    (export "create-udp-socket" (func (param "address-family" $ff)
      (result (result (own $tt) (error $cc)))))))
  (core func $tcp (canon lower (func $create-tcp "create-tcp-socket") (memory $memory)))
  (core func $udp (canon lower (func $create-udp "create-udp-socket") (memory $memory))))");
}

std::string hoard_of_new_sockets() {
  return socket_hoarder(std::string(allocator) + R"(
  (import "wasi:sockets/types@0.3.0" (instance $types
    (type $code (variant (case "access-denied") (case "not-supported") (case "invalid-argument")
      (case "out-of-memory") (case "timeout") (case "invalid-state") (case "address-not-bindable")
      (case "address-in-use") (case "remote-unreachable") (case "connection-refused")
      (case "connection-broken") (case "connection-reset") (case "connection-aborted")
      (case "datagram-too-large") (case "other" (option string))))
    (export "error-code" (type $cc (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $ff (eq $family)))
    (export "tcp-socket" (type $t (sub resource)))
    (export "udp-socket" (type $u (sub resource)))
    (export "[static]tcp-socket.create" (func (param "address-family" $ff)
      (result (result (own $t) (error $cc)))))
    (export "[static]udp-socket.create" (func (param "address-family" $ff)
      (result (result (own $u) (error $cc)))))))
  (core func $tcp (canon lower (func $types "[static]tcp-socket.create") (memory $memory)
    (realloc $realloc)))
  (core func $udp (canon lower (func $types "[static]udp-socket.create") (memory $memory)
    (realloc $realloc))))");
}

std::string hoard_of_input(std::string_view file) {
  return fmt::format(R"((component {0}
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $pollable (type $p)) (export "pollable" (type $pp (eq $p)))
    (export "input-stream" (type $input (sub resource)))
    (export "[method]input-stream.subscribe" (func (param "self" (borrow $input))
      (result (own $pp))))))
  (alias export $streams "input-stream" (type $input))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (alias outer 1 $input (type $i)) (export "input-stream" (type $ii (eq $i)))
    (export "descriptor" (type $descriptor (sub resource)))
    (type $code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota"
      "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry"
      "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe"
      "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $cc (eq $code)))
    (type $path-flags (flags "symlink-follow"))
    (export "path-flags" (type $pf (eq $path-flags)))
    (type $open-flags (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $of (eq $open-flags)))
    (type $descriptor-flags (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $df (eq $descriptor-flags)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $pf) (param "path" string) (param "open-flags" $of) (param "flags" $df)
      (result (result (own $descriptor) (error $cc)))))
    (export "[method]descriptor.read-via-stream" (func (param "self" (borrow $descriptor))
      (param "offset" u64) (result (result (own $ii) (error $cc)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $dd (eq $d)))
    (type $preopen (tuple (own $dd) string))
    (export "get-directories" (func (result (list $preopen))))))
  (core func $folders (canon lower (func $preopens "get-directories") (memory $memory)
    (realloc $realloc)))
  (core func $open (canon lower (func $files "[method]descriptor.open-at") (memory $memory)))
  (core func $read (canon lower (func $files "[method]descriptor.read-via-stream")
    (memory $memory)))
  (core func $subscribe (canon lower (func $streams "[method]input-stream.subscribe")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $forget (canon resource.drop $pollable))
  (core module $m
    (import "" "memory" (memory 2))
    (import "" "folders" (func $folders (param i32)))
    (import "" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "" "read" (func $read (param i32 i64 i32)))
    (import "" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "" "block" (func $block (param i32)))
    (import "" "forget" (func $forget (param i32)))
    (data (i32.const 256) "{1}")
    (func (export "hoard") (param $count i32) (result i32)
      (local $i i32) (local $file i32) (local $pollable i32)
      (call $folders (i32.const 0))
      (call $open (i32.load (i32.load (i32.const 0))) (i32.const 0) (i32.const 256) (i32.const {2})
        (i32.const 0) (i32.const 1) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then unreachable))
      (local.set $file (i32.load (i32.const 20)))
      (loop $again
        (call $read (local.get $file) (i64.const 0) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then (return (local.get $i))))
        (local.set $pollable (call $subscribe (i32.load (i32.const 36))))
        (call $block (local.get $pollable))
        (call $forget (local.get $pollable))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $count))))
      (local.get $i)))
  (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory))
    (export "folders" (func $folders)) (export "open" (func $open)) (export "read" (func $read))
    (export "subscribe" (func $subscribe)) (export "block" (func $block))
    (export "forget" (func $forget))))))
  (func (export "hoard") (param "count" u32) (result u32) (canon lift (core func $i "hoard")))))",
                     allocator, file, file.size());
}

std::string hoard_of_bodies() {
  return hoarder(std::string(output_streams) + R"(
  (import "wasi:http/types@0.2.0" (instance $http
    (alias outer 1 $output (type $o)) (export "output-stream" (type $oo (eq $o)))
    (export "fields" (type $fields (sub resource)))
    (export "outgoing-request" (type $request (sub resource)))
    (export "outgoing-body" (type $body (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-request"
      (func (param "headers" (own $fields)) (result (own $request))))
    (export "[method]outgoing-request.body" (func (param "self" (borrow $request))
      (result (result (own $body)))))
    (export "[method]outgoing-body.write" (func (param "self" (borrow $body))
      (result (result (own $oo)))))))
  (alias export $http "outgoing-body" (type $body))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $request (canon lower (func $http "[constructor]outgoing-request")))
  (core func $body-of (canon lower (func $http "[method]outgoing-request.body") (memory $memory)))
  (core func $stream-of (canon lower (func $http "[method]outgoing-body.write") (memory $memory)))
  (core func $forget-stream (canon resource.drop $output))
  (core func $forget-body (canon resource.drop $body))
  (core module $once
    (import "" "memory" (memory 2))
    (import "" "fields" (func $fields (result i32)))
    (import "" "request" (func $request (param i32) (result i32)))
    (import "" "body-of" (func $body-of (param i32 i32)))
    (import "" "stream-of" (func $stream-of (param i32 i32)))
    (import "" "check" (func $check (param i32 i32)))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "forget-stream" (func $forget-stream (param i32)))
    (import "" "forget-body" (func $forget-body (param i32)))
    (func (export "make") (local $body i32) (local $stream i32) (local $room i32)
      (call $body-of (call $request (call $fields)) (i32.const 16))
      (local.set $body (i32.load (i32.const 20)))
      (call $stream-of (local.get $body) (i32.const 16))
      (local.set $stream (i32.load (i32.const 20)))
      (call $check (local.get $stream) (i32.const 32))
      (local.set $room (i32.wrap_i64 (i64.load (i32.const 40))))
      (if (i32.gt_u (local.get $room) (i32.const 100000))
        (then (local.set $room (i32.const 100000))))
      (call $write (local.get $stream) (i32.const 4096) (local.get $room) (i32.const 32))
      (call $forget-stream (local.get $stream))
      (call $forget-body (local.get $body))))
  (core instance $once (instantiate $once (with "" (instance (export "memory" (memory $memory))
    (export "fields" (func $fields)) (export "request" (func $request))
    (export "body-of" (func $body-of)) (export "stream-of" (func $stream-of))
    (export "check" (func $check)) (export "write" (func $write))
    (export "forget-stream" (func $forget-stream)) (export "forget-body" (func $forget-body))))))
  (alias core export $once "make" (core func $make)))",
                 "", "(call $make)");
}

std::string hoard_of_empty_writes() {
  return hoarder(
      std::string(output_streams) + R"(  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o)) (export "output-stream" (type $oo (eq $o)))
    (export "get-stdout" (func (result (own $oo))))))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core module $once
    (import "" "stdout" (func $stdout (result i32)))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (global $to (mut i32) (i32.const 0))
    (func (export "make")
      (if (i32.eqz (global.get $to)) (then (global.set $to (call $stdout))))
      (call $write (global.get $to) (i32.const 64) (i32.const 0) (i32.const 0))))
  (core instance $once (instantiate $once (with "" (instance
    (export "stdout" (func $stdout)) (export "write" (func $write))))))
  (alias core export $once "make" (core func $make)))",
      "", "(call $make)");
}

std::string wrong_cancel(bool stream, bool reads) {
  const std::string_view kind = stream ? "stream" : "future";
  return fmt::format(R"((component {6}
  (type $t ({0} u8))
  (core func $new (canon {0}.new $t))
  (core func $copy (canon {0}.{1} $t async (memory $memory)))
  (core func $cancel (canon {0}.cancel-{2} $t))
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "" "new" (func $new (result i64)))
    (import "" "copy" (func $copy (param i32 i32 {3}) (result i32)))
    (import "" "cancel" (func $cancel (param i32) (result i32)))
    (import "" "return" (func $return (param i32)))
    (func (export "hoard") (param i32) (result i32) (local $ends i64) (local $end i32)
      (local.set $ends (call $new))
      ;; The end to read from stands in the lower half, the one to write to in the upper.
      (local.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const {4}))))
      (drop (call $copy (local.get $end) (i32.const 64) {5}))
      (drop (call $cancel (local.get $end)))
      (call $return (i32.const 1))
      (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))
    (export "copy" (func $copy)) (export "cancel" (func $cancel))
    (export "return" (func $return))))))
  (func (export "hoard") async (param "count" u32) (result u32)
    (canon lift (core func $i "hoard") async (callback (func $i "callback"))))))",
                     kind, reads ? "read" : "write", reads ? "write" : "read", stream ? "i32" : "",
                     reads ? 0 : 32, stream ? "(i32.const 1)" : "", allocator);
}

std::string hoard_of_memories(int instances, int memories) {
  std::string module;
  for (int i = 0; i < memories; ++i) module += "(memory 2)";
  for (int i = 0; i < memories; ++i) {
    module += fmt::format("(data (memory {}) (i32.const 5000) \"x\")", i);
  }
  std::string parts;
  for (int i = 0; i < instances; ++i)
    parts += fmt::format("(core instance $i{} (instantiate $m))", i);
  return fmt::format(R"((component (core module $m {}
    (func (export "spin") (loop $again (br $again))) (func (export "rest"))) {}
    (func (export "spin") (canon lift (core func $i0 "spin")))
    (func (export "rest") (canon lift (core func $i0 "rest")))))",
                     module, parts);
}

}  // namespace belljar::attacks
