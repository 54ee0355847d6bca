"""Golden numbers: what a small run of every method gives, digest by digest, so that no change of them is unnoticed."""
