;; Does what no tool should: reaches an instruction that must not be reached.
(component
  (core module $module (func $deep unreachable) (func (export "fall") (call $deep)))
  (core instance $instance (instantiate $module))
  (func (export "fall") (canon lift (core func $instance "fall"))))
