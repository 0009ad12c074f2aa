;; A WASI 0.1 program that says one thing on standard output and another on standard error.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; Two vectors of one piece each: where it is and how long.
  (data (i32.const 0) "\20\00\00\00\0c\00\00\00")
  (data (i32.const 8) "\30\00\00\00\0d\00\00\00")
  (data (i32.const 32) "the output!\n")
  (data (i32.const 48) "the warnings\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 96)))
    (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 96)))))
