; More, as often, is more.
(set-logic QF_NIA)
(declare-const a Int)
(declare-const b Int)
(declare-const c Int)
(assert (<= a b))
(assert (<= 0 c))
(assert (not (<= (* a c) (* b c))))
(check-sat)
