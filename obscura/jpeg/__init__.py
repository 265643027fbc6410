"""JPEG in, JPEG out: hides regions in the DCT domain and leaves every other coefficient as it was.

`splice` is the way in. Below it: `structure` reads what a file says of itself, `cover` says which blocks are
replaced by what, `recode` writes the scans anew with a `codec` (C where it could be compiled, else Python),
and `header` puts a clean header before them.
"""
