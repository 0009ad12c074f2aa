;; A tool that asks its embedder how much there is, and how much is on its way.
(component
  (import "example:stock/shelf@1.0.0" (instance $shelf
    (export "count" (func (param "item" u32) (result u32)))
    (export "ordered" (func (param "item" u32) (result u32)))))
  (core func $count (canon lower (func $shelf "count")))
  (core func $ordered (canon lower (func $shelf "ordered")))
  (core module $reorder
    (import "shelf" "count" (func $count (param i32) (result i32)))
    (import "shelf" "ordered" (func $ordered (param i32) (result i32)))
    ;; How many more it takes to have a hundred.
    (func (export "missing") (param $item i32) (result i32)
      i32.const 100
      (call $count (local.get $item))
      i32.sub
      (call $ordered (local.get $item))
      i32.sub))
  (core instance $instance (instantiate $reorder
    (with "shelf" (instance
      (export "count" (func $count))
      (export "ordered" (func $ordered))))))
  (func (export "missing") (param "item" u32) (result u32)
    (canon lift (core func $instance "missing"))))
