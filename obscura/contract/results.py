"""What detection workers leave in the job ledger, and the answer that clients read from it."""

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.options import ObjectClass


class ImageInfo(BaseModel):
    """Size of the upright picture, in pixels."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int


class ModelInfo(BaseModel):
    """Which weights looked at the picture, run by which engine."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    engine: str


class DetectedObject(BaseModel):
    """One found object: box in pixels of the upright picture, clipped to it, and score 0..1."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    class_name: ObjectClass = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    confidence: float


class DetectionPart(BaseModel):
    """Outcome of one detection step."""

    model_config = ConfigDict(frozen=True)

    image: ImageInfo
    model: ModelInfo
    detections: tuple[DetectedObject, ...]
