; What is in one of two sets of bits is no less than either.
(set-logic QF_BV)
(declare-const a (_ BitVec 72))
(declare-const b (_ BitVec 72))
(assert (not (and (bvule a (bvor a b)) (bvule b (bvor a b)))))
(check-sat)
