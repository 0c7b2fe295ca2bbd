; A number that fits 32 bits once it is converted to 64 is the same converted to 32.
(set-logic ALL)
(declare-const x Int)
(assert (<= (mod x 18446744073709551616) 4294967295))
(assert (not (= (mod x 4294967296) (mod x 18446744073709551616))))
(check-sat)
