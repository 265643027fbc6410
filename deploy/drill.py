"""A drill on running containers: photos in, workers killed meanwhile, and every photo has to come out.

``python deploy/drill.py --kill face_detection_service redaction_service`` loads the system that
``docker-compose up`` has started, kills a container of each named service with ``docker kill``, starts it
again after a while, and exits with 1 unless every accepted photo ended as a picture. Without ``--kill`` it
only measures. Needs the standard library and docker; ``DOCKER`` names another client.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
DOCKER = os.environ.get("DOCKER", "docker")
BOUNDARY = "obscura-drill"
AWAY_S = 5.0
BETWEEN_S = 10.0
PATIENCE_S = 600.0
JPEG = b"\xff\xd8"


class System:
    """A running gateway: hands a photo in and waits for what becomes of it."""

    def __init__(self, url: str, photo: bytes) -> None:
        self._host = urlsplit(url).netloc
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        kind = "Content-Type: image/jpeg\r\n\r\n"
        self._body = (head + kind).encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return status and body of one request."""
        connection = http.client.HTTPConnection(self._host, timeout=60)
        try:
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Return once every queue has its workers; raise TimeoutError where that takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if self.ask("GET", "/readyz")[0] == http.HTTPStatus.OK:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(1)
        message = "the system did not become ready"
        raise TimeoutError(message)

    def photo(self) -> str:
        """Return what became of one photo: `picture`, `not accepted`, or what went wrong."""
        status, text = self.ask("POST", "/blur_faces", self._body)
        if status != http.HTTPStatus.OK:
            return f"not accepted: {status}"
        task = json.loads(text)["task_id"]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status, text = self.ask("GET", f"/task_result/{task}?wait=20")
            state = json.loads(text).get("status") if status == http.HTTPStatus.OK else f"status {status}"
            if state == "SUCCESS":
                status, picture = self.ask("GET", f"/task_result/{task}/image")
                return "picture" if picture.startswith(JPEG) else f"no picture: {status}"
            if status != http.HTTPStatus.OK or state == "FAILURE":
                return f"lost: {text[:200].decode(errors='replace')}"
        return "lost: no end"


def containers(service: str, project: str) -> list[str]:
    """Return the ids of a service's running containers."""
    labels = [f"label=com.docker.compose.service={service}", f"label=com.docker.compose.project={project}"]
    command = [DOCKER, "ps", "--quiet", *(word for label in labels for word in ("--filter", label))]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stdout.split()


def wait_until_healthy(container: str, done: threading.Event) -> None:
    """Return once the container's own health check succeeds, or nothing is to be done any more."""
    command = [DOCKER, "inspect", "--format", "{{.State.Health.Status}}", container]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not done.wait(1):
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        if found.stdout.strip() == "healthy":
            return


def kill_in_turn(services: Sequence[str], project: str, done: threading.Event) -> int:
    """Kill a container of each service, again and again until ``done``; return how many were killed."""
    killed = 0
    while services and not done.is_set():
        for service in services:
            if done.wait(BETWEEN_S):
                break
            for container in containers(service, project)[:1]:
                # `docker kill` is a person's doing, which no restart policy undoes.
                subprocess.run([DOCKER, "kill", container], check=True, capture_output=True)
                killed += 1
                time.sleep(AWAY_S)
                subprocess.run([DOCKER, "start", container], check=True, capture_output=True)
                # One that is killed before it has loaded its model would never do anything.
                wait_until_healthy(container, done)
    return killed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drill and print what became of the photos."""
    parser = argparse.ArgumentParser(prog="python deploy/drill.py", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--project", default=ROOT.name, help="name of the compose project")
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "portrait.jpg")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kill", nargs="*", default=[], metavar="SERVICE")
    chosen = parser.parse_args(arguments)
    system = System(chosen.url, chosen.photo.read_bytes())
    system.wait_until_ready()
    done = threading.Event()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as killer, ThreadPoolExecutor(chosen.clients) as pool:
        kills = killer.submit(kill_in_turn, chosen.kill, chosen.project, done)
        try:
            ends = Counter(pool.map(lambda _: system.photo(), range(chosen.photos)))
        finally:
            done.set()
    seconds = time.monotonic() - began
    found = {"photos": chosen.photos, "ends": ends, "killed": kills.result(), "seconds": round(seconds, 1)}
    print(json.dumps({**found, "per_s": round(chosen.photos / seconds, 2)}))
    return 0 if ends["picture"] == chosen.photos else 1


if __name__ == "__main__":
    sys.exit(main())
