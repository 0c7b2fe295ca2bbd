; One shifted by n is two to the power of n: 1, doubled n times.
(set-logic QF_BV)
(declare-const n (_ BitVec 72))
(assert (bvult n (_ bv64 72)))
(assert (not (and (= (bvshl (_ bv1 72) (_ bv0 72)) (_ bv1 72))
                  (= (bvshl (_ bv1 72) (bvadd n (_ bv1 72)))
                     (bvadd (bvshl (_ bv1 72) n) (bvshl (_ bv1 72) n))))))
(check-sat)
