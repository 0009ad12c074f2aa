;; The smallest tools: what a call costs when the guest does next to nothing, and when it does
;; nothing but compute.
(component
  (core module $m
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 0))
    (func (export "spin") (loop $again (br $again)))
    ;; A linear congruential generator, so that no step can be left out.
    (func (export "burn") (param i32) (result i32)
      (local $value i32)
      (loop $again
        (local.set $value
          (i32.add (i32.mul (local.get $value) (i32.const 1664525)) (i32.const 1013904223)))
        (i32.store (i32.const 8) (local.get $value))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $again (local.get 0)))
      (i32.load (i32.const 8))))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $i "echo") (memory (core memory $i "memory"))
                (realloc (core func $i "realloc"))))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "burn") (param "rounds" u32) (result u32) (canon lift (core func $i "burn"))))
