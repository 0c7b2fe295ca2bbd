; Two to the power of 62.
(set-logic QF_BV)
(assert (not (= (bvshl (_ bv1 72) (_ bv62 72)) #x004000000000000000)))
(check-sat)
