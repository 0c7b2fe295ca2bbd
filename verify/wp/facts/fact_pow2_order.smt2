; Two to the power of n grows with n.
(set-logic QF_BV)
(declare-const m (_ BitVec 72))
(declare-const n (_ BitVec 72))
(define-fun pow2 ((k (_ BitVec 72))) (_ BitVec 72) (bvshl (_ bv1 72) k))
(assert (bvule m (_ bv64 72)))
(assert (bvule n (_ bv64 72)))
(assert (not (= (bvult m n) (bvult (pow2 m) (pow2 n)))))
(check-sat)
