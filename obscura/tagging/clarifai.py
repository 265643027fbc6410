"""Tagging by Clarifai over gRPC. No other module imports clarifai_grpc.

Only the pixels are sent: reduced, upright and encoded anew, so without any metadata.
"""

from typing import Any, Final
from urllib.parse import urlsplit

import cv2

from obscura.errors import (
    TaggerError,
    TaggerMissingError,
    TaggerRefusedError,
    TaggerTimedOutError,
    TaggerUnavailableError,
)
from obscura.imaging.pixels import Pixels
from obscura.settings import Settings
from obscura.tagging.base import Tag

_SIDE: Final = 1024
_QUALITY: Final = 90
_INSECURE_PORT: Final = 80
_CONNECTION_FAULTS: Final = range(11_000, 12_000)
"""Clarifai's status codes for keys, tokens and accounts."""


class ClarifaiTagger:
    """A connection to one model; must be created after a fork, because gRPC runs threads."""

    def __init__(self, settings: Settings) -> None:
        if settings.clarifai_pat is None:
            message = "OBSCURA_TAGGER is clarifai and OBSCURA_CLARIFAI_PAT is not set"
            raise TaggerMissingError(message)
        try:
            import grpc  # noqa: PLC0415 - optional, and loaded after the fork
            from clarifai_grpc.grpc.api import service_pb2_grpc  # noqa: PLC0415 - the same
        except ImportError as error:
            message = "the tagger clarifai is not installed: pip install 'obscura-photo[verification]'"
            raise TaggerMissingError(message) from error
        self._grpc = grpc
        self._settings = settings
        self._key = settings.clarifai_pat.get_secret_value()
        self._channel = _channel(settings.clarifai_base)
        self._stub = service_pb2_grpc.V2Stub(self._channel)

    def tags(self, pixels: Pixels) -> tuple[Tag, ...]:
        """Return the tags of the model, see `Tagger.tags`."""
        try:
            response = self._stub.PostModelOutputs(
                self._request(pixels),
                metadata=(("authorization", f"Key {self._key}"),),
                timeout=self._settings.tagger_timeout_s,
            )
        except self._grpc.RpcError as error:
            raise self._translated(error) from error
        _check(response.status)
        if not response.outputs:
            message = "Clarifai gave no output"
            raise TaggerUnavailableError(message)
        _check(response.outputs[0].status)
        found = (Tag(concept.name, concept.value) for concept in response.outputs[0].data.concepts)
        return tuple(sorted(found, key=lambda tag: -tag.score))

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _request(self, pixels: Pixels) -> Any:  # noqa: ANN401 - generated classes without types
        from clarifai_grpc.grpc.api import resources_pb2, service_pb2  # noqa: PLC0415 - see above

        image = resources_pb2.Image(base64=_jpeg(pixels))
        return service_pb2.PostModelOutputsRequest(
            user_app_id=resources_pb2.UserAppIDSet(
                user_id=self._settings.clarifai_user, app_id=self._settings.clarifai_app
            ),
            model_id=self._settings.clarifai_model,
            inputs=[resources_pb2.Input(data=resources_pb2.Data(image=image))],
        )

    def _translated(self, error: Any) -> TaggerError:  # noqa: ANN401 - gRPC publishes no types
        """Return the project's error for gRPC's."""
        status = self._grpc.StatusCode
        match error.code():
            case status.DEADLINE_EXCEEDED:
                return TaggerTimedOutError("Clarifai did not answer in time")
            case status.UNAUTHENTICATED | status.PERMISSION_DENIED:
                return TaggerRefusedError("Clarifai refused the key")
            case code:
                return TaggerUnavailableError(f"Clarifai cannot be asked ({code.name})")


def _check(status: Any) -> None:  # noqa: ANN401 - generated classes without types
    """Raise TaggerError unless the status of a response is success."""
    from clarifai_grpc.grpc.api.status import status_code_pb2  # noqa: PLC0415 - see above

    if status.code == status_code_pb2.SUCCESS:
        return
    message = f"Clarifai refused or failed ({status.code}: {status.description})"
    raise (TaggerRefusedError if status.code in _CONNECTION_FAULTS else TaggerUnavailableError)(message)


def _channel(base: str) -> Any:  # noqa: ANN401 - gRPC publishes no types
    """Return a channel to the URL ``base``; unencrypted for ``http`` only."""
    from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel  # noqa: PLC0415 - see above

    url = urlsplit(base)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if host is None or url.scheme not in {"http", "https"}:
        message = "OBSCURA_CLARIFAI_BASE must be a URL such as https://api.clarifai.com"
        raise TaggerMissingError(message)
    if url.scheme == "http":
        return ClarifaiChannel.get_insecure_grpc_channel(host, port or _INSECURE_PORT)
    return ClarifaiChannel.get_grpc_channel(host if port is None else f"{host}:{port}")


def _jpeg(pixels: Pixels) -> bytes:
    """Return the picture as a JPEG, its longer side 1,024 pixels at most."""
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return data.tobytes()
