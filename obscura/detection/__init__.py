"""Detection of faces and number plates: from pixels to boxes.

``manifest`` says which weights there are, ``tiling`` which parts of a photo a network looks at and how
large, ``letterbox`` makes the network's input, ``backends`` run it, ``decode`` reads its output,
``suppression``, ``voting`` and ``merging`` make one box of many, ``priors`` drop the impossible, and
``detector`` puts these together. Importing the package loads no inference engine.
"""

from obscura.detection.tiling import Quality
from obscura.detection.weights import ModelCard, WeightsFile, card_for_class, load_manifest

__all__ = ["ModelCard", "Quality", "WeightsFile", "card_for_class", "load_manifest"]
