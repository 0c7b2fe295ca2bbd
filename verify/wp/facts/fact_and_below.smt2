; Two to the power of n has nothing in common with a set of bits below the n-th.
(set-logic QF_BV)
(declare-const b (_ BitVec 72))
(declare-const n (_ BitVec 72))
(define-fun pow2 ((k (_ BitVec 72))) (_ BitVec 72) (bvshl (_ bv1 72) k))
(assert (bvule n (_ bv64 72)))
(assert (bvult b (pow2 n)))
(assert (not (= (bvand (pow2 n) b) (_ bv0 72))))
(check-sat)
