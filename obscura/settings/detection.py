"""Networks: engine, precision, threads."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class EngineChoice(StrEnum):
    """Which engine runs the models; ``auto`` takes the fastest that is there."""

    AUTO = "auto"
    ONNX = "onnx"
    OPENVINO = "openvino"
    ULTRALYTICS = "ultralytics"


class Precision(StrEnum):
    """Arithmetic of the network.

    ``auto`` is 16 bit where the engine and the device are faster with it (OpenVINO on CPUs with bf16, GPUs);
    ``f32`` gives the same boxes on all engines to within a pixel.
    """

    AUTO = "auto"
    F32 = "f32"


class DetectionSettings(BaseModel):
    """Networks: engine, precision, threads."""

    model_config = ConfigDict(frozen=True)

    models_dir: Path | None = Field(
        None, description="folder with manifest.toml and weights; unset: the ones that come along"
    )
    compiled_dir: str = Field(
        "auto",
        description="folder for compiled networks, which make a start faster; auto: `obscura` in the user's "
        "cache folder; off: none",
    )
    engine: EngineChoice = Field(EngineChoice.AUTO, description="inference engine")
    precision: Precision = Field(
        Precision.AUTO, description="auto: 16 bit where that is faster; f32: the same boxes on every engine"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:0 (ultralytics engine)")
    threads: int = Field(0, ge=0, le=256, description="threads per inference; 0: cores / concurrency")
