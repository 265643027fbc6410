"""Networks: engine, precision, threads."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class EngineChoice(StrEnum):
    """The inference engine; ``auto``: onnxruntime where it can use a GPU, else OpenVINO, else onnxruntime."""

    AUTO = "auto"
    ONNX = "onnx"
    OPENVINO = "openvino"
    ULTRALYTICS = "ultralytics"


class Precision(StrEnum):
    """Floating point precision of inference.

    ``auto`` is 16 bit if that is faster on the device (OpenVINO on CPUs with bf16, GPUs); ``f32`` gives the
    same boxes on all engines to within a pixel.
    """

    AUTO = "auto"
    F32 = "f32"


class DetectionSettings(BaseModel):
    """Networks: engine, precision, threads."""

    model_config = ConfigDict(frozen=True)

    models_dir: Path | None = Field(
        None, description="folder with manifest.toml and weights; unset: those in the package"
    )
    compiled_dir: str = Field(
        "auto",
        description="folder that caches compiled networks, for a faster start; auto: `obscura` in the user's "
        "cache folder; off: none",
    )
    engine: EngineChoice = Field(EngineChoice.AUTO, description="inference engine")
    precision: Precision = Field(
        Precision.AUTO, description="auto: 16 bit if that is faster; f32: the same boxes on every engine"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:0; the CPU where there is no GPU")
    threads: int = Field(0, ge=0, le=256, description="threads per inference; 0: cores / concurrency")
