; Two to the power of 64.
(set-logic QF_BV)
(assert (not (= (bvshl (_ bv1 72) (_ bv64 72)) #x010000000000000000)))
(check-sat)
