;; Nothing to call.
(component)
