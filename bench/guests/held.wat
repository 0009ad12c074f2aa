;; A tool whose sandbox stays alive for as long as somebody holds a handle to its counter.
(component
  (type $counter (resource (rep i32)))
  (core func $new (canon resource.new $counter))
  (core module $m
    (import "host" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "make") (result i32) (call $new (i32.const 1))))
  (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
  (export $exported "counter" (type $counter))
  (func (export "[constructor]counter") (result (own $exported))
    (canon lift (core func $i "make"))))
