"""Words that mean the same, a classifier of one's own, and a Clarifai server made from its own protocol."""

import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from obscura.errors import (
    TaggerError,
    TaggerMissingError,
    TaggerRefusedError,
    TaggerTimedOutError,
    TaggerUnavailableError,
)
from obscura.imaging.pixels import Pixels
from obscura.settings import Settings, TaggerChoice
from obscura.tagging import Tag, matches, open_tagger, read_synonyms
from tests.classifier import colour_classifier
from tests.photos import portrait

PAT = "a-secret-token"
CUP = (Tag("coffee cup", 0.98), Tag("컵", 0.7), Tag("Café", 0.3))


def filled(red: int, green: int, blue: int) -> Pixels:
    """Return a picture of one colour."""
    return np.full((90, 160, 3), (red, green, blue), np.uint8)


@pytest.mark.parametrize(
    ("keyword", "is_there"),
    [
        ("coffee cup", True),
        ("  Coffee \t CUP ", True),
        (unicodedata.normalize("NFD", "컵"), True),
        (unicodedata.normalize("NFD", "café"), True),
        ("CAFÉ", True),
        ("cup", False),
        ("coffee", False),
        ("", False),
        ("   ", False),
    ],
)
def test_words_are_compared_without_case_form_and_spaces(keyword: str, is_there: bool) -> None:  # noqa: FBT001
    """Whole words only, as the seed has it."""
    assert matches(CUP, keyword) is is_there


def test_tags_below_the_least_score_do_not_count() -> None:
    """The least score itself counts."""
    assert matches(CUP, "café", 0.3)
    assert not matches(CUP, "café", 0.31)


def test_synonyms_count_as_the_word(tmp_path: Path) -> None:
    """A user asks in Korean, the tagger answers in English."""
    file = tmp_path / "words.txt"
    file.write_text("머그, Mug, Coffee Cup  # what coffee comes in\n\n# nothing\nmug, face\n", "utf-8")
    synonyms = read_synonyms(file)
    assert matches(CUP, "머그", synonyms=synonyms)
    assert matches(CUP, "mug", synonyms=synonyms)
    assert not matches(CUP, "face", synonyms=synonyms)
    assert not matches(CUP, "머그")
    assert read_synonyms(None) == {}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    """At the start, by its name."""
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(TaggerMissingError, match=r"words\.txt"):
        read_synonyms(tmp_path / "words.txt")


def test_no_tagger_answers_with_its_error() -> None:
    """The default; the way to change it is in the message."""
    tagger = open_tagger(Settings())
    with pytest.raises(TaggerMissingError, match="OBSCURA_TAGGER"):
        tagger.tags(filled(0, 0, 0))
    tagger.close()


# --- the classifier -------------------------------------------------------------------------------


@pytest.fixture
def colour_model(tmp_path: Path) -> Path:
    """Write a real, tiny ONNX model: its three outputs are the means of red, green and blue."""
    path = tmp_path / "colours.onnx"
    path.write_bytes(colour_classifier())
    return path


def _classifier(model: Path | None, labels: Path | None) -> Settings:
    return Settings(tagger=TaggerChoice.ONNX, tagger_model=model, tagger_labels=labels)


def test_a_classifier_names_what_it_sees(colour_model: Path, tmp_path: Path) -> None:
    """The surest first, every name of a label, scores that sum to one."""
    labels = tmp_path / "labels.txt"
    labels.write_text("n01440764 red, crimson\ngreen\nblue\n")
    tagger = open_tagger(_classifier(colour_model, labels))
    for picture, names in (
        (filled(250, 10, 10), {"red", "crimson"}),
        (filled(10, 250, 10), {"green"}),
        (filled(10, 10, 250), {"blue"}),
    ):
        tags = tagger.tags(picture)
        best = tags[0].score
        assert {tag.name for tag in tags if tag.score == best} == names
        assert sum({tag.name: tag.score for tag in tags if tag.name != "crimson"}.values()) == pytest.approx(
            1
        )
    assert matches(tagger.tags(filled(250, 10, 10)), "Crimson", 0.5)
    assert tagger.tags(filled(1, 2, 3)[:1, :1])
    tagger.close()


@pytest.mark.parametrize("wrong", ["no model", "no labels", "text as model", "two labels", "empty labels"])
def test_a_classifier_that_does_not_fit_is_said_at_the_start(
    colour_model: Path, tmp_path: Path, wrong: str
) -> None:
    """Not at the first photo."""
    labels, text = tmp_path / "labels.txt", tmp_path / "text.onnx"
    text.write_text("text")
    labels.write_text({"two labels": "red\ngreen\n", "empty labels": "\n\n"}.get(wrong, "red\ngreen\nblue\n"))
    model: Path | None = {"no model": None, "text as model": text}.get(wrong, colour_model)
    with pytest.raises(TaggerMissingError):
        open_tagger(_classifier(model, None if wrong == "no labels" else labels))


# --- Clarifai -------------------------------------------------------------------------------------


@pytest.fixture
def clarifai() -> Iterator[SimpleNamespace]:
    """Serve Clarifai's own protocol; the test says what to answer and sees what was asked."""
    grpc = pytest.importorskip("grpc")
    from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
    from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2

    seen = SimpleNamespace(pause=0.0, abort=None, status=status_code_pb2.SUCCESS, grpc=grpc, requests=[])

    class Servicer(service_pb2_grpc.V2Servicer):  # type: ignore[misc]  # generated, without types
        def PostModelOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name
            seen.requests.append((request, dict(context.invocation_metadata()), context.time_remaining()))
            time.sleep(seen.pause)
            if seen.abort is not None:
                context.abort(seen.abort, "no")
            status = status_pb2.Status(code=seen.status, description="said the server")
            if dict(context.invocation_metadata())["authorization"] != f"Key {PAT}":
                bad = status_pb2.Status(code=status_code_pb2.CONN_KEY_INVALID, description="Invalid API key")
                return service_pb2.MultiOutputResponse(status=bad)
            concepts = [resources_pb2.Concept(name=n, value=v) for n, v in (("cup", 0.6), ("coffee", 0.9))]
            output = resources_pb2.Output(status=status, data=resources_pb2.Data(concepts=concepts))
            return service_pb2.MultiOutputResponse(status=status, outputs=[output])

    server = grpc.server(ThreadPoolExecutor(2))
    service_pb2_grpc.add_V2Servicer_to_server(Servicer(), server)
    seen.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    seen.server = server
    server.start()
    yield seen
    server.stop(0).wait()


def _tags(url: str, pat: str = PAT, timeout_s: float = 5.0) -> tuple[Tag, ...]:
    settings = Settings.model_validate(
        {
            "tagger": TaggerChoice.CLARIFAI,
            "clarifai_base": url,
            "clarifai_pat": pat,
            "tagger_timeout_s": timeout_s,
        }
    )
    tagger = open_tagger(settings)
    try:
        return tagger.tags(np.asarray(portrait().resize((3000, 1500))))
    finally:
        tagger.close()


def test_clarifai_is_asked_as_the_seed_asks(clarifai: SimpleNamespace) -> None:
    """Model, owner and key by the settings, a deadline, and a small JPEG without metadata."""
    tags = _tags(clarifai.url)
    assert [tag.name for tag in tags] == ["coffee", "cup"]
    assert tags[0].score == pytest.approx(0.9)
    ((request, metadata, seconds),) = clarifai.requests
    assert request.model_id == "general-image-recognition"
    assert (request.user_app_id.user_id, request.user_app_id.app_id) == ("clarifai", "main")
    assert metadata["authorization"] == f"Key {PAT}"
    assert 0 < seconds <= 5
    picture = Image.open(BytesIO(request.inputs[0].data.image.base64))
    assert (picture.format, picture.size, len(picture.getexif())) == ("JPEG", (1024, 512), 0)


def _fails(expected: type[TaggerError], url: str, **options: Any) -> None:
    with pytest.raises(expected) as caught:
        _tags(url, **options)
    assert PAT not in caught.value.message


def test_a_wrong_key_is_refused(clarifai: SimpleNamespace) -> None:
    """Whether Clarifai says so in its answer or as a gRPC status."""
    _fails(TaggerRefusedError, clarifai.url, pat="wrong")
    clarifai.abort = clarifai.grpc.StatusCode.UNAUTHENTICATED
    _fails(TaggerRefusedError, clarifai.url)


def test_a_slow_answer_is_a_time_out(clarifai: SimpleNamespace) -> None:
    """The caller does not wait longer than the settings say."""
    clarifai.pause = 1.5
    start = time.monotonic()
    _fails(TaggerTimedOutError, clarifai.url, timeout_s=0.3)
    assert time.monotonic() - start < 1.3


def test_a_failing_or_absent_server_is_unavailable(clarifai: SimpleNamespace) -> None:
    """An error of the model, an inner error, and nobody there."""
    clarifai.status = 21_200
    _fails(TaggerUnavailableError, clarifai.url)
    clarifai.abort = clarifai.grpc.StatusCode.INTERNAL
    _fails(TaggerUnavailableError, clarifai.url)
    clarifai.server.stop(0).wait()
    _fails(TaggerUnavailableError, clarifai.url, timeout_s=2.0)


@pytest.mark.parametrize("wrong", [{"clarifai_pat": None}, {"clarifai_base": "api.clarifai.com"}])
def test_wrong_settings_of_clarifai_are_said_at_the_start(wrong: dict[str, str | None]) -> None:
    """Not at the first photo."""
    pytest.importorskip("grpc")
    settings = {"tagger": TaggerChoice.CLARIFAI, "clarifai_pat": PAT} | wrong
    with pytest.raises(TaggerMissingError, match="OBSCURA_CLARIFAI_"):
        open_tagger(Settings.model_validate(settings))
