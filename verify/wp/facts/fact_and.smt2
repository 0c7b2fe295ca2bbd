; Of two numbers that fit 64 bits, neither is less than what both have in common.
(set-logic QF_BV)
(declare-const a (_ BitVec 64))
(declare-const b (_ BitVec 64))
(assert (not (and (bvule (bvand a b) a) (bvule (bvand a b) b))))
(check-sat)
