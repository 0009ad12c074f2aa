;; A tool whose sandbox stays alive for as long as somebody holds a handle to its counter.
(component
  (type $counter (resource (rep i32)))
  (core func $new (canon resource.new $counter))
  (core module $m
    (import "host" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "make") (result i32) (call $new (i32.const 1))))
  (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
  (func $make (result (own $counter)) (canon lift (core func $i "make")))
  ;; An interface that exports a type is made by a component of its own.
  (component $interface
    (import "counter-type" (type $counter (sub resource)))
    (import "make" (func $make (result (own $counter))))
    (export $exported "counter" (type $counter))
    (export "[constructor]counter" (func $make) (func (result (own $exported)))))
  (instance $counters (instantiate $interface
    (with "counter-type" (type $counter))
    (with "make" (func $make))))
  (export "bench:held/counters" (instance $counters)))
