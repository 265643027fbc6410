"""What is deployed, read as data: images, compose files, locks, the Makefile."""

import re
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from obscura.contract import Pipeline, Queue, queues_of

ROOT = Path(__file__).parents[2]
GATEWAY = "gateway_service"
WORKER_OF_QUEUE = {
    Queue.FACES: "face_detection_service",
    Queue.PLATES: "plate_detection_service",
    Queue.REDACTION: "redaction_service",
    Queue.PHOTOS: "photo_service",
    Queue.VERIFICATION: "photo_verification_service",
    Queue.LESIONS: "lesion_detection_service",
    Queue.VIDEOS: "video_service",
}
FUSED = "deploy/compose/fused.yml"
# The whole system in one image.
WHOLE = "obscura"
SERVICES = (GATEWAY, *WORKER_OF_QUEUE.values())
# What an image carries beside the library: its own service, and weights where a model is run.
ARROWS = {
    GATEWAY: {"obscura", GATEWAY},
    "face_detection_service": {"obscura", "face_detection_service", "models"},
    "plate_detection_service": {"obscura", "plate_detection_service", "models"},
    "redaction_service": {"obscura", "redaction_service"},
    "photo_service": {"obscura", "photo_service", "models"},
    "photo_verification_service": {"obscura", "photo_verification_service"},
    "lesion_detection_service": {"obscura", "lesion_detection_service"},
    "video_service": {"obscura", "video_service", "models"},
}
# Started by a profile of its own name: PostgreSQL, and an S3 server.
OPTIONAL = ("database", "storage")
# Started by the profile `observability`.
WATCHING = ("prometheus", "grafana")
LOCKS_OF_SERVICE = {
    GATEWAY: {"gateway"},
    "face_detection_service": {"redaction", "detection"},
    "plate_detection_service": {"redaction", "detection"},
    "photo_service": {"redaction", "detection"},
    "redaction_service": {"redaction"},
    "photo_verification_service": {"redaction", "verification"},
    "lesion_detection_service": {"redaction", "lesion"},
    "video_service": {"video"},
}
LOCKS = (
    "bootstrap",
    "detection",
    "gateway",
    "lesion",
    "redaction",
    "run",
    "test",
    "tracing",
    "verification",
    "video",
)
# A worker gives a photo back within 30 s of SIGTERM; a container killed before that would lose the time.
LEAST_WORKER_GRACE_S = 40


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    """Return a compose file as YAML reads it."""
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def compose_service(name: str) -> dict[str, Any]:
    """Return one service of the compose files."""
    services = {**compose(FUSED)["services"], **compose()["services"]}
    service = services[name]
    assert isinstance(service, dict)
    return service


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of every stage of the Dockerfile: name and the rest, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found: dict[str, list[tuple[str, str]]] = {}
    stage: list[tuple[str, str]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            stage = found[rest.split(" AS ")[1]] = []
        stage.append((name, " ".join(rest.split())))
    return found


def instructions(stage: str) -> list[tuple[str, str]]:
    """Return what makes an image: the instructions of the stages that ``stage`` stands on, and its own."""
    made = stages()
    base = made[stage][0][1].split(" AS ")[0]
    return [*(instructions(base) if base in made else []), *made[stage]]


def arguments(service: str, instruction: str) -> list[str]:
    """Return what stands behind every ``instruction`` of a service's image."""
    return [rest for name, rest in instructions(service) if name == instruction]


def copied(service: str) -> set[tuple[str, str]]:
    """Return what an image takes out of other stages: stage and path."""
    words = [rest.removeprefix("--from=").split() for rest in arguments(service, "COPY")]
    return {(stage, path) for stage, path, _ in words}


def listed(service: str, instruction: str) -> list[str]:
    """Return the words of the last ``instruction``, written as a JSON list."""
    words = yaml.safe_load(arguments(service, instruction)[-1].rpartition("CMD ")[2])
    assert isinstance(words, list)
    return words


def pins(lock: str) -> dict[str, str]:
    """Return the versions that a lock pins, by package."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9-]*)==(\S+)", text, re.MULTILINE))


def test_every_queue_has_exactly_one_worker_service() -> None:
    """Each worker service serves one queue, no two the same, and together they serve all of them."""
    served = {
        name: import_module(f"{name}.handler").SERVICE.spec.queue for name in SERVICES if name != GATEWAY
    }
    assert served == {service: queue for queue, service in WORKER_OF_QUEUE.items()}
    assert set(WORKER_OF_QUEUE) == set(Queue)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_its_own_service(service: str) -> None:
    """The image's command is the service's package, run as a module."""
    options = ["--host", "0.0.0.0"] if service == GATEWAY else []  # noqa: S104 - inside its container
    assert listed(service, "CMD") == ["python", "-m", service, *options]


def test_the_whole_image_has_the_parts_of_all_services() -> None:
    """`docker run obscura` starts the system: every service's code, the packages, the C coder."""
    assert listed(WHOLE, "CMD") == ["obscura", "serve", "--host", "0.0.0.0"]  # noqa: S104 - inside its container
    assert {("code", "/app"), ("run-packages", "/opt/venv"), ("native", "/added")} <= copied(WHOLE)
    assert {rest.split()[0] for name, rest in stages()["code"] if name == "COPY"} == {
        *SERVICES,
        "obscura",
        "standalone",
        "models",
    }
    install = next(rest for name, rest in stages()["run-packages"] if name == "RUN")
    assert "--require-hashes -r run.lock" in install
    assert listed(WHOLE, "HEALTHCHECK") == listed(GATEWAY, "HEALTHCHECK")
    assert arguments(WHOLE, "USER") == arguments(GATEWAY, "USER")
    assert "OBSCURA_PUBLISHED_ON" not in str(arguments(WHOLE, "ENV"))


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_carries_exactly_what_its_arrows_allow(service: str) -> None:
    """Only the library, the service itself and the weights it runs come from the checkout."""
    code = {path.rpartition("/")[2] for stage, path in copied(service) if path.startswith("/app")}
    assert code == ARROWS[service]
    sources = {rest.split()[0] for name, rest in stages()["code"] if name == "COPY"}
    assert code <= sources
    assert all((ROOT / source).is_dir() for source in sources)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_installs_from_hashed_locks(service: str) -> None:
    """Packages come from the locks of the service's kind, and only with the hashes that stand in them."""
    packages = {stage for stage, _ in copied(service) if stage.endswith("-packages")}
    assert {stage.removesuffix("-packages") for stage in packages} == LOCKS_OF_SERVICE[service]
    for stage in packages:
        install = next(rest for name, rest in stages()[stage] if name == "RUN")
        assert f"--require-hashes -r {stage.removesuffix('-packages')}.lock" in install


@pytest.mark.parametrize("lock", ["detection", "lesion", "verification"])
def test_a_kind_of_worker_only_adds_to_what_all_have(lock: str) -> None:
    """What is common lies in one layer, which all worker images share, in the very same versions."""
    assert pins("redaction").items() < pins(lock).items()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_without_root(service: str) -> None:
    """It ends as a numbered user that is not root, so that an orchestrator can tell."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", arguments(service, "USER")[-1])


def test_all_images_share_the_owner_of_the_photos() -> None:
    """Gateway and workers write into one volume, so they are one user."""
    assert len({arguments(service, "USER")[-1] for service in SERVICES}) == 1


def test_images_build_where_only_plain_docker_is_there() -> None:
    """No frontend image, no heredoc and no BuildKit-only flag is needed; all systems are one."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"^#\s*syntax=|<<|--mount=|--chmod=|--link", text, re.MULTILINE)
    bases = {rest.split(" AS ")[0] for stage in stages().values() for name, rest in stage if name == "FROM"}
    assert bases - set(stages()) == {"python:${PYTHON_VERSION}-slim", "scratch"}


def test_what_an_image_is_built_from_reaches_the_build() -> None:
    """Everything that the Dockerfile copies out of the checkout is let through by .dockerignore."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    sources = {
        source
        for stage in stages().values()
        for name, rest in stage
        if name == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in sources)
    assert all(any(Path(source).is_relative_to(path) for path in let_through) for source in sources)


def test_foreign_images_are_pinned() -> None:
    """No image is whatever is newest today."""
    for name, service in compose()["services"].items():
        if "build" not in service:
            image = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"])
            assert re.search(r":v?\d[\w.-]*$", image), name


def test_compose_and_image_check_health_alike() -> None:
    """A container started by hand is checked by the same command as one that compose starts."""
    for service in SERVICES:
        check = compose_service(service)["healthcheck"]
        assert check["test"] == ["CMD", *listed(service, "HEALTHCHECK")]
        words = arguments(service, "HEALTHCHECK")[-1].partition(" CMD ")[0].split()
        times = {
            key.removeprefix("--").replace("-", "_"): value
            for key, value in (word.split("=") for word in words)
        }
        assert {key: str(check[key]) for key in times} == times


def test_a_worker_leaves_heartbeats_where_its_health_check_looks() -> None:
    """In a folder that it may write, in memory."""
    for service in WORKER_OF_QUEUE.values():
        folder = re.findall(r"OBSCURA_HEARTBEAT_DIR=(\S+)", " ".join(arguments(service, "ENV")))[-1]
        assert any(mount.startswith(f"{Path(folder).parent}:") for mount in compose_service(service)["tmpfs"])


@pytest.mark.parametrize("name", ["valkey", *OPTIONAL, *WATCHING, *SERVICES])
def test_a_container_is_watched_and_bounded(name: str) -> None:
    """Every service has a health check, limits of memory, cores and processes, and bounded logs."""
    service = compose_service(name)
    assert {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys()
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert "max-size" in service["logging"]["options"]


@pytest.mark.parametrize("name", ["valkey", *OPTIONAL, *WATCHING, *SERVICES])
def test_a_container_is_hardened(name: str) -> None:
    """Only listed capabilities are left, no privilege can be gained, only volumes are written."""
    service = compose_service(name)
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    allowed = {"CHOWN", "SETGID", "SETUID"} | ({"DAC_OVERRIDE", "FOWNER"} if name == "database" else set())
    assert set(service.get("cap_add", [])) <= allowed
    if name not in {"valkey", "database"}:
        assert "cap_add" not in service


def test_compose_knows_every_service_and_no_other() -> None:
    """The compose files hold the queue's server and one container per image."""
    ours = {"valkey", *SERVICES, *OPTIONAL, *WATCHING}
    assert set(compose()["services"]) | set(compose(FUSED)["services"]) == ours
    profiles = {
        name: service["profiles"] for name, service in compose()["services"].items() if "profiles" in service
    }
    assert profiles == {name: [name] for name in OPTIONAL} | {name: ["observability"] for name in WATCHING}
    for name in SERVICES:
        assert compose_service(name)["build"] == {"context": ".", "target": name}


def test_only_the_gateway_is_published_and_only_to_this_machine() -> None:
    """Its port is published on the loopback address unless a variable widens it, Grafana's on no other."""
    published = {
        name: service["ports"] for name, service in compose()["services"].items() if "ports" in service
    }
    assert published.pop("grafana") == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]
    assert published == {GATEWAY: ["${OBSCURA_BIND:-127.0.0.1}:${PORT:-8000}:8000"]}


def test_keys_are_asked_for_once_the_port_is_published_to_others() -> None:
    """The gateway is told where its port is published; as shipped that is this machine."""
    environment = compose_service(GATEWAY)["environment"]
    assert environment["OBSCURA_PUBLISHED_ON"] == "${OBSCURA_BIND:-127.0.0.1}"
    assert environment["OBSCURA_API_KEYS"] == "${OBSCURA_API_KEYS:-auto}"


def test_workers_and_queue_cannot_reach_the_world() -> None:
    """Whoever opens a photo, or knows of it, is connected to the inner network only."""
    assert compose()["networks"]["inside"]["internal"] is True
    for name in ("valkey", "prometheus", *OPTIONAL, *WORKER_OF_QUEUE.values()):
        assert compose_service(name)["networks"] == ["inside"]


def test_only_who_asks_for_tags_is_let_out_by_its_own_file() -> None:
    """The override for Clarifai changes one service's networks and nothing else."""
    assert compose("deploy/compose/outside.yml")["services"] == {
        "photo_verification_service": {"networks": ["inside", "outside"]}
    }


def test_settings_of_the_bucket_reach_gateway_and_workers_alike() -> None:
    """Who stores a photo and who reads it look in the same place."""
    names = {"OBSCURA_STORAGE", "OBSCURA_S3_BUCKET", "OBSCURA_S3_SECRET_ACCESS_KEY"}
    assert names <= compose()["x-storage"].keys()
    for name in SERVICES:
        assert compose_service(name)["environment"].items() >= compose()["x-storage"].items()


def test_the_queue_keeps_what_it_was_told() -> None:
    """Valkey writes its log at least every second and refuses rather than forgets when it is full."""
    command = " ".join(compose_service("valkey")["command"])
    assert "--appendonly yes" in command
    assert "--appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert any(volume.endswith(":/data") for volume in compose_service("valkey")["volumes"])


def test_gateway_and_workers_share_photos_and_queue() -> None:
    """All name the same server, and the folder that their common volume is mounted on."""
    for name in SERVICES:
        service = compose_service(name)
        folder = service["environment"]["OBSCURA_STORAGE_DIR"]
        assert service["environment"]["OBSCURA_REDIS_URL"] == "redis://valkey:6379/0"
        assert f"photos:{folder}" in service["volumes"]
        assert f"OBSCURA_STORAGE_DIR={folder}" in " ".join(arguments(name, "ENV"))


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_written_lies_on_volumes_of_the_images_user(service: str) -> None:
    """With a read-only root: a new volume takes over owner and mode of the image's folder at its place."""
    made = next(rest for name, rest in stages()["system"] if name == "RUN" and "install -d" in rest)
    owned = made.partition("install -d -o obscura -g obscura -m 0700 ")[2].partition("&&")[0].split()
    content = compose_service(service)
    mounted = [volume.partition(":")[2].partition(":")[0] for volume in content["volumes"]]
    assert set(mounted) <= set(owned)
    assert content["read_only"] is True
    environment = {name: str(value) for name, value in content["environment"].items()}
    for name in ("OBSCURA_AUDIT_FILE", "OBSCURA_STORAGE_DIR", "OBSCURA_DATABASE_URL"):
        if path := re.search(r"/var/lib/[\w/.-]+", environment.get(name, "")):
            assert any(Path(path.group()).is_relative_to(folder) for folder in mounted), name


def test_the_audit_log_outlives_its_container() -> None:
    """Only the gateway writes it, into a volume."""
    assert "OBSCURA_AUDIT_FILE" in compose_service(GATEWAY)["environment"]
    assert not [name for name in WORKER_OF_QUEUE.values() if "AUDIT" in str(compose_service(name))]


def test_a_stopped_worker_has_time_to_give_its_photo_back() -> None:
    """Workers start after the queue's server and are not killed within their own grace."""
    for name in WORKER_OF_QUEUE.values():
        service = compose_service(name)
        assert service["depends_on"] == {"valkey": {"condition": "service_healthy"}}
        assert int(service["stop_grace_period"].removesuffix("s")) >= LEAST_WORKER_GRACE_S


def test_each_pipeline_has_its_services_and_no_other() -> None:
    """The fused override starts the service of its queue, and stops the others by a profile."""
    override = compose(FUSED)["services"]
    stopped = {name for name, service in override.items() if service.get("profiles") == ["split"]}
    running = {"valkey", *SERVICES} - stopped
    assert running == {"valkey", GATEWAY, *(WORKER_OF_QUEUE[queue] for queue in queues_of(Pipeline.FUSED))}
    assert override[GATEWAY]["environment"]["OBSCURA_PIPELINE"] == Pipeline.FUSED
    started = set(compose()["services"]) - set(OPTIONAL) - set(WATCHING)
    assert started == {"valkey", GATEWAY, *(WORKER_OF_QUEUE[queue] for queue in queues_of(Pipeline.SPLIT))}


def test_the_gpu_override_changes_only_the_detection_services() -> None:
    """On GPUs the detection services use onnxruntime on a reserved device; the rest stays as it is."""
    services = compose("deploy/compose/gpu.yml")["services"]
    assert set(services) == {WORKER_OF_QUEUE[Queue.FACES], WORKER_OF_QUEUE[Queue.PLATES]}
    for name, service in services.items():
        assert service["environment"]["OBSCURA_DEVICE"] == service["build"]["args"]["ENGINE"] == "cuda"
        assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
        assert ("detection-packages", "/added") in copied(name)
    assert ("ARG", "ENGINE=openvino") in stages()["detection-packages"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_registry(lock: str) -> None:
    """Every pin carries hashes, and nothing says where packages are fetched from."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[
        1:
    ]
    assert entries
    assert all(re.match(r"\S+==\S+.*\\\n\s+--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert not re.search(r"://|\bindex-url|find-links|extra-index|@ |\.(org|com|net|io)\b", text)


def test_locks_are_complete() -> None:
    """Every lock in the folder is one that these tests look at."""
    assert {path.stem for path in (ROOT / "requirements").glob("*.lock")} == set(LOCKS)


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "test"])
def test_locks_agree(lock: str) -> None:
    """What is deployed is what was tested: every pin stands in the lock of the tests as well."""
    assert pins(lock)
    assert pins(lock).items() <= pins("test").items()


def test_no_engine_reaches_the_gateway() -> None:
    """The gateway's lock holds nothing that decodes pictures or runs networks."""
    heavy = {"numpy", "onnxruntime", "opencv-python-headless", "openvino", "pillow", "simplejpeg", "torch"}
    assert heavy.isdisjoint(pins("gateway"))


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_decides_on_a_torch_build(lock: str) -> None:
    """Neither torch nor CUDA nor an OpenCV with windows is pinned: the machine decides on the first two."""
    assert not [name for name in pins(lock) if name.startswith(("torch", "nvidia", "ultralytics"))]
    assert "opencv-python" not in pins(lock)


def test_help_lists_targets_that_exist() -> None:
    """`make` alone lists the doors of the project, and each of them has a recipe or a prerequisite."""
    listing = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    targets = re.findall(r"^make ([a-z-]+) +\S", listing, re.MULTILINE)
    assert {"help", "setup", "run", "test", "check", "lock"} <= set(targets)
    plan = subprocess.run(
        ["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "obscura serve --host 127.0.0.1 --port 8000" in plan.stdout


def test_running_replaces_the_shell() -> None:
    """`make run` ends in the server itself, so that a signal to make reaches it."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nrun: ")[2]
    assert recipe.splitlines()[1].strip() == "@exec $(BIN)/obscura serve --host $(HOST) --port $(PORT)"


def test_the_build_machine_runs_the_tests() -> None:
    """`.ci/run` is executable and ends in `make test`."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "make test"
