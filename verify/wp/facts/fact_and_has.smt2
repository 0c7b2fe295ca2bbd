; What two sets have in common, each of them has.
(set-logic QF_BV)
(declare-const a (_ BitVec 72))
(declare-const b (_ BitVec 72))
(declare-const n (_ BitVec 72))
(define-fun has ((bits (_ BitVec 72)) (k (_ BitVec 72))) Bool
    (not (= (bvand bits (bvshl (_ bv1 72) k)) (_ bv0 72))))
(assert (bvult n (_ bv64 72)))
(assert (has (bvand a b) n))
(assert (not (and (has a n) (has b n))))
(check-sat)
