; Of 64 bits, less 56 or more, there are 8 at most.
(set-logic QF_BV)
(declare-const x (_ BitVec 64))
(declare-const n (_ BitVec 64))
(assert (and (bvule (_ bv56 64) n) (bvule n (_ bv63 64))))
(assert (not (bvule (bvlshr x n) (_ bv255 64))))
(check-sat)
