"""Decide whether two photos show the same thing: keypoints, geometry, one rule.

Measured error rates: docs/reference/photo-verification.md.
"""

from obscura.matching.drawing import draw
from obscura.matching.features import ENOUGH_KEYPOINTS, enough_detail, features
from obscura.matching.fingerprint import fingerprint, is_replay
from obscura.matching.model import Features
from obscura.matching.rule import Comparison, Method, Strictness, compare

__all__ = [
    "ENOUGH_KEYPOINTS",
    "Comparison",
    "Features",
    "Method",
    "Strictness",
    "compare",
    "draw",
    "enough_detail",
    "features",
    "fingerprint",
    "is_replay",
]
