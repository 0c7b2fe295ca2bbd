; Two to the power of 63.
(set-logic QF_BV)
(assert (not (= (bvshl (_ bv1 72) (_ bv63 72)) #x008000000000000000)))
(check-sat)
