;; Two versions of one interface, whose functions would be one tool.
(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $api (export "get" (func $f)))
  (export "acme:wx/api@1.0.0" (instance $api))
  (export "acme:wx/api@2.0.0" (instance $api)))
