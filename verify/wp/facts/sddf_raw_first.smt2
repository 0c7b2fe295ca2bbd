; The lowest bit of a set, x & -x, is 2^r for some r below 64, is in the set, and no more than it.
(set-logic BV)
(declare-const x (_ BitVec 64))
(assert (not (= x (_ bv0 64))))
(assert (not (exists ((r (_ BitVec 64)))
    (and (bvult r (_ bv64 64)) (= (bvand x (bvneg x)) (bvshl (_ bv1 64) r))
         (bvule (bvshl (_ bv1 64) r) x) (not (= (bvand x (bvshl (_ bv1 64) r)) (_ bv0 64)))))))
(check-sat)
