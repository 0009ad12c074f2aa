;; Two interfaces with a function of the same name, so that the name alone is ambiguous.
(component
  (core module $module (func (export "one") (result i32) (i32.const 1)))
  (core instance $instance (instantiate $module))
  (func $one (result u32) (canon lift (core func $instance "one")))
  (instance $left (export "get" (func $one)))
  (instance $right (export "get" (func $one)))
  (export "test:twins/left" (instance $left))
  (export "test:twins/right" (instance $right)))
