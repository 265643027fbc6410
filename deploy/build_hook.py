"""Compile the C coder of the lossless splice into wheels, where there is a C compiler."""

import importlib.util
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledCoderHook(BuildHookInterface):  # type: ignore[type-arg]
    """Add ``obscura_native/jpeg-<digest>.so`` to a wheel; without a compiler, nothing.

    ctypes loads the coder, which uses no Python API: one wheel, ``py3-none-<platform>``, serves all versions.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the file for the wheel; an editable install is compiled by ``make setup``."""
        if version == "editable":
            return
        coder = _build_module(Path(self.root))
        self._folder = tempfile.TemporaryDirectory()
        target = Path(self._folder.name, coder.library_path().name)
        problem = coder.build(target)
        if problem is not None:
            sys.stderr.write(f"wheel without the C coder: {problem}\n")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"][str(target)] = f"obscura_native/{target.name}"


def _build_module(root: Path) -> ModuleType:
    """Return ``obscura.jpeg.build``, loaded alone: the build environment lacks the library's dependencies."""
    path = root / "obscura" / "jpeg" / "build.py"
    specification = importlib.util.spec_from_file_location("_obscura_jpeg_build", path)
    if specification is None or specification.loader is None:
        message = f"{path} cannot be loaded"
        raise ImportError(message)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
