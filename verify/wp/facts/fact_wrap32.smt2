; A number converted to 32 bits without a sign differs from it by a multiple of 2^32: by so many of
; them as it has wrapped round.
(set-logic ALL)
(declare-const x Int)
(assert (not (= (mod x 4294967296) (+ x (* (- (div x 4294967296)) 4294967296)))))
(check-sat)
