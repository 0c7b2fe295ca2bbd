; What two sets have together, one of them has.
(set-logic QF_BV)
(declare-const a (_ BitVec 72))
(declare-const b (_ BitVec 72))
(declare-const n (_ BitVec 72))
(define-fun has ((bits (_ BitVec 72)) (k (_ BitVec 72))) Bool
    (not (= (bvand bits (bvshl (_ bv1 72) k)) (_ bv0 72))))
(assert (bvult n (_ bv64 72)))
(assert (has (bvor a b) n))
(assert (not (or (has a n) (has b n))))
(check-sat)
