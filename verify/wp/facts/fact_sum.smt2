; A sum of two numbers of 64 bits that is no less than one of them, once it is converted to 64 bits,
; fits them.
(set-logic ALL)
(declare-const a Int)
(declare-const b Int)
(assert (and (<= 0 a 18446744073709551615) (<= 0 b 18446744073709551615)))
(assert (>= (mod (+ a b) 18446744073709551616) a))
(assert (not (<= (+ a b) 18446744073709551615)))
(check-sat)
