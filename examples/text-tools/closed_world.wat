;; The system that the Go runtime sees: none. Go asks for WASI functions as it starts and runs, also
;; where the program needs nothing of the outside. Here they are answered within the component, so
;; that it imports nothing and needs no grant.
;;
;; The usual adapter from WASI 0.1 to 0.2 would not do, for two reasons. It claims memory by growing
;; it, and Go's allocator takes all growth for its own and writes over it. And it calls the host
;; whenever Go reads the clock, which Go also does while it makes room for arguments, when a
;; component must not call out.
(module
  (import "env" "memory" (memory 0))

  (global $errno_success i32 (i32.const 0))
  (global $errno_badf i32 (i32.const 8))

  ;; A clock that moves by one microsecond whenever it is read. Go refuses to start where it stands
  ;; at zero, and only uses it to pace its garbage collector.
  (global $now (mut i64) (i64.const 1000000000))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32)
        (result i32)
    (global.set $now (i64.add (global.get $now) (i64.const 1000)))
    (i64.store (local.get $time) (global.get $now))
    (global.get $errno_success))

  ;; Go seeds its hash tables with this. A tool whose results depend on its arguments only has no
  ;; other use for it, so the bytes are left as they are.
  (func (export "random_get") (param $buffer i32) (param $length i32) (result i32)
    (global.get $errno_success))

  ;; Waiting ends at once, with one event.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32)
        (param $events i32) (result i32)
    (i32.store (local.get $events) (i32.const 1))
    (global.get $errno_success))

  (func (export "sched_yield") (result i32)
    (global.get $errno_success))

  ;; There are no arguments, and no environment variables.
  (func $no_strings (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (global.get $errno_success))
  (export "args_sizes_get" (func $no_strings))
  (export "environ_sizes_get" (func $no_strings))

  (func $no_pointers (param $pointers i32) (param $buffer i32) (result i32)
    (global.get $errno_success))
  (export "args_get" (func $no_pointers))
  (export "environ_get" (func $no_pointers))

  ;; There are no files.
  (func (export "fd_prestat_get") (param $descriptor i32) (param $out i32) (result i32)
    (global.get $errno_badf))
  (func (export "fd_prestat_dir_name") (param $descriptor i32) (param $path i32) (param $length i32)
        (result i32)
    (global.get $errno_badf))
  (func (export "fd_fdstat_get") (param $descriptor i32) (param $out i32) (result i32)
    (global.get $errno_badf))
  (func (export "fd_fdstat_set_flags") (param $descriptor i32) (param $flags i32) (result i32)
    (global.get $errno_badf))
  (func (export "fd_close") (param $descriptor i32) (result i32)
    (global.get $errno_badf))

  ;; What Go writes, which is why it panics, is taken and dropped: Go would panic again where it
  ;; cannot write.
  (func (export "fd_write") (param $descriptor i32) (param $buffers i32) (param $count i32)
        (param $written i32) (result i32)
    (local $total i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        ;; A buffer is an address and a length.
        (local.set $total
          (i32.add (local.get $total) (i32.load offset=4 (local.get $buffers))))
        (local.set $buffers (i32.add (local.get $buffers) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $total))
    (global.get $errno_success))

  ;; A program that gives up ends in a trap.
  (func (export "proc_exit") (param $code i32)
    (unreachable)))
