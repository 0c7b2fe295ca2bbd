; Two to the power of n is 1 at least.
(set-logic QF_BV)
(declare-const n (_ BitVec 72))
(assert (bvule n (_ bv64 72)))
(assert (not (bvuge (bvshl (_ bv1 72) n) (_ bv1 72))))
(check-sat)
