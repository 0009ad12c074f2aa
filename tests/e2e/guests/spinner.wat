;; Runs for ever, and, called by another name, adds up: a guest that is stuck must cost its
;; neighbours nothing.
(component
  (core module $module
    (func (export "spin") (loop (br 0)))
    (func (export "double") (param i32) (result i32)
      (i32.mul (local.get 0) (i32.const 2))))
  (core instance $instance (instantiate $module))
  (func (export "spin") (canon lift (core func $instance "spin")))
  (func (export "double") (param "number" u32) (result u32)
    (canon lift (core func $instance "double"))))
