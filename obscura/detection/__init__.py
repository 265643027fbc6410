"""Detection of faces and number plates: from pixels to boxes.

``weights`` reads the manifest of the models, ``tiling`` plans the inference slices, ``letterbox`` makes the
network's input, ``backends`` run it, ``decode`` reads its output, ``nms``, ``voting`` and ``merging`` reduce
the boxes to one per object, ``rescoring`` re-scores them in crops, ``adaptive`` chooses the effort by the
proposals, ``turned`` finds what lies on its side, ``priors`` drops impossible boxes, and ``detector`` puts
these together; ``detections`` is what is asked for and answered. Importing the package loads no engine.
"""

from obscura.detection.tiling import Quality
from obscura.detection.weights import ModelCard, WeightsFile, card_for_class, load_manifest

__all__ = ["ModelCard", "Quality", "WeightsFile", "card_for_class", "load_manifest"]
