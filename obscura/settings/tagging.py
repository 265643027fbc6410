"""Tags of photos."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class TaggerChoice(StrEnum):
    """The tagger: a service or a local classifier that names what a photo shows."""

    NONE = "none"
    CLARIFAI = "clarifai"
    ONNX = "onnx"


class TaggingSettings(BaseModel):
    """Tags of photos."""

    model_config = ConfigDict(frozen=True)

    tagger: TaggerChoice = Field(
        TaggerChoice.NONE, description="tagger that names what a photo shows: none, clarifai or onnx"
    )
    tagger_timeout_s: float = Field(10.0, gt=0, le=300, description="timeout of the tagger, seconds")
    tagger_model: Path | None = Field(None, description="onnx tagger: the classifier")
    tagger_labels: Path | None = Field(None, description="onnx tagger: its labels, one a line")
    tag_min_score: float = Field(0.0, ge=0, le=1, description="lowest score of a tag that counts")
    tag_synonyms: Path | None = Field(
        None, description="file of synonyms: one group per line, comma-separated"
    )
    clarifai_pat: SecretStr | None = Field(None, description="clarifai tagger: personal access token")
    clarifai_base: str = Field("https://api.clarifai.com", description="clarifai tagger: address")
    clarifai_user: str = Field("clarifai", description="clarifai tagger: owner of the model")
    clarifai_app: str = Field("main", description="clarifai tagger: app of the model")
    clarifai_model: str = Field("general-image-recognition", description="clarifai tagger: model")
