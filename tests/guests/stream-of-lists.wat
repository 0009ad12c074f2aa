;; A stream of values that are neither primitive nor strings.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
    (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (type $lists (stream (list u8)))
  (func (export "f") (param "value" $lists)
    (canon lift (core func $i "f") (memory $memory) (realloc $realloc))))
