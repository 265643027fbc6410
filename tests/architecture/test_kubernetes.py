"""deploy/kubernetes, read as data and held against the code that it runs."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import obscura
from obscura.contract import STEP_TASKS, Pipeline, queues_of
from obscura.observability.catalogue import CATALOGUE
from obscura.settings import Settings
from tests.kustomize import Resource, rendered

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
PIPELINES = {"cpu": Pipeline.FUSED, "gpu": Pipeline.SPLIT}
OVERLAYS = sorted(PIPELINES)
# The oldest and the newest Kubernetes that the files are meant for.
VERSIONS = ("1.30", "1.34")
COMPONENT = "app.kubernetes.io/component"
INSTANCE = "app.kubernetes.io/instance"
MEBIBYTES = {"Mi": 1, "Gi": 1024}
# Time that the longest step may take before its process is killed.
HARD_LIMIT_S = Settings.model_fields["hard_limit_s"].default * max(
    spec.length for spec in STEP_TASKS.values()
)


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> tuple[str, list[Resource]]:
    """Return an overlay's name and what it comes to."""
    return request.param, rendered(FOLDER / "overlays" / request.param)


def of_kind(resources: list[Resource], *kinds: str) -> dict[str, Resource]:
    """Return resources of some kinds by name."""
    return {item["metadata"]["name"]: item for item in resources if item["kind"] in kinds}


def pods(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    """Return the specifications of pods by the name of what makes them."""
    return {
        name: item["spec"]["template"]["spec"]
        for name, item in of_kind(resources, "Deployment", "StatefulSet").items()
    }


def workers(resources: list[Resource]) -> dict[str, Resource]:
    """Return the Deployments of workers by name."""
    found = of_kind(resources, "Deployment")
    return {name: item for name, item in found.items() if item["metadata"]["labels"][COMPONENT] == "worker"}


def service_of(image: str) -> str:
    """Return the target of the Dockerfile that makes an image of ours, as docker-compose.yml names it."""
    made: dict[str, str] = {}
    for name in ("docker-compose.yml", "deploy/compose/fused.yml", "deploy/compose/gpu.yml"):
        services = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["services"]
        made |= {service["image"]: key for key, service in services.items() if "image" in service}
    return made[image.partition(":")[0]]


def variables(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment of a pod's container; what is no plain value is None."""
    return {item["name"]: item.get("value") for item in pod["containers"][0].get("env", [])}


def mebibytes(amount: str) -> int:
    """Return an amount of memory in MiB."""
    return int(amount[:-2]) * MEBIBYTES[amount[-2:]]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_resource(overlay: tuple[str, list[Resource]], version: str) -> None:
    """Every resource of Kubernetes itself fits its schema, with no field that the schema does not know."""
    _, resources = overlay
    for resource in resources:
        if resource["kind"] != "ScaledObject":
            kubernetes_validate.validate(resource, version, strict=True)


def test_the_schema_sees_a_fault() -> None:
    """The check above can fail: a field that does not exist is refused."""
    resources = rendered(FOLDER / "overlays" / "cpu")
    gateway = of_kind(resources, "Deployment")["gateway"]
    gateway["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(gateway, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_kustomize_makes_the_same_of_it(name: str) -> None:
    """What these tests look at is what kubectl would apply."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl to compare with")
    command = [kubectl, "kustomize", str(FOLDER / "overlays" / name)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs = {(item["kind"], item["metadata"]["name"]): plain(item) for item in yaml.safe_load_all(text)}
    ours = {
        (item["kind"], item["metadata"]["name"]): plain(item) for item in rendered(FOLDER / "overlays" / name)
    }
    assert ours == theirs


def plain(value: Any) -> Any:
    """Return ``value`` with named items of lists in the order of their names: order says nothing there."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        is_named = items and all(isinstance(item, dict) and "name" in item for item in items)
        return sorted(items, key=lambda item: str(item["name"])) if is_named else items
    return value


def test_each_queue_of_the_pipeline_has_its_workers(overlay: tuple[str, list[Resource]]) -> None:
    """One Deployment per queue, whose scaler asks for that very queue."""
    name, resources = overlay
    pipeline = PIPELINES[name]
    scalers = of_kind(resources, "ScaledObject")
    queues = {}
    for worker, deployment in workers(resources).items():
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        queue = import_module(f"{service_of(image)}.handler").SERVICE.spec.queue
        (trigger,) = scalers[worker]["spec"]["triggers"]
        assert re.findall(r'queue="([^"]+)"', trigger["metadata"]["query"]) == [queue.value]
        queues[worker] = queue
    assert set(scalers) == set(queues)
    assert sorted(queues.values()) == sorted(queues_of(pipeline))
    assert of_kind(resources, "ConfigMap")["obscura-settings"]["data"]["OBSCURA_PIPELINE"] == pipeline.value


def test_images_are_ours_and_of_this_version(overlay: tuple[str, list[Resource]]) -> None:
    """Each image is made by the Dockerfile and carries the version of the code; foreign ones are pinned."""
    _, resources = overlay
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE))
    for name, pod in pods(resources).items():
        image, _, tag = pod["containers"][0]["image"].partition(":")
        if name == "valkey":
            assert re.match(r"\d", tag)
        else:
            assert service_of(image) in stages
            assert tag == obscura.__version__


def test_every_variable_is_a_setting(overlay: tuple[str, list[Resource]]) -> None:
    """No variable is misspelt, and every fixed value is one that the setting takes."""
    _, resources = overlay
    shared = of_kind(resources, "ConfigMap")["obscura-settings"]["data"]
    for pod in (pod for name, pod in pods(resources).items() if name != "valkey"):
        given = {**shared, **variables(pod)}
        for name in given:
            field = name.removeprefix("OBSCURA_").lower()
            known = field in Settings.model_fields or field.removesuffix("_file") in Settings.model_fields
            assert known or name in {"POD_NAME", "YOLO_CONFIG_DIR", "YOLO_OFFLINE", "YOLO_AUTOINSTALL"}, name
        values = {
            name.removeprefix("OBSCURA_").lower(): value
            for name, value in given.items()
            if value is not None and name.removeprefix("OBSCURA_").lower() in Settings.model_fields
        }
        assert Settings.model_validate(values)


def test_secrets_come_as_files(overlay: tuple[str, list[Resource]]) -> None:
    """Nothing secret is a variable or stands in a file here; the README says how to make what is mounted."""
    _, resources = overlay
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    secret = {
        f"OBSCURA_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    } | {"OBSCURA_REDIS_URL"}
    assert not of_kind(resources, "Secret")
    assert secret.isdisjoint(of_kind(resources, "ConfigMap")["obscura-settings"]["data"])
    for pod in pods(resources).values():
        assert secret.isdisjoint(variables(pod))
        for name, value in variables(pod).items():
            if name.removesuffix("_FILE") in secret:
                assert f"--from-file={Path(str(value)).name}=" in told


def test_pods_are_restricted(overlay: tuple[str, list[Resource]]) -> None:
    """They fit the profile `restricted`, which the namespace enforces, and write only into mounts."""
    _, resources = overlay
    labels = of_kind(resources, "Namespace")["obscura"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(resources).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_pods_run_as_the_images_user(overlay: tuple[str, list[Resource]]) -> None:
    """The user of the image and of the pod are one."""
    _, resources = overlay
    user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[-1]
    for name, pod in pods(resources).items():
        if name != "valkey":
            context = pod["securityContext"]
            assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


def test_pods_are_bounded_and_watched(overlay: tuple[str, list[Resource]]) -> None:
    """Each has requests, a limit of memory that holds its folders in memory too, and three probes."""
    _, resources = overlay
    for pod in pods(resources).values():
        (container,) = pod["containers"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        limit = mebibytes(container["resources"]["limits"]["memory"])
        in_memory = sum(
            mebibytes(volume["emptyDir"]["sizeLimit"])
            for volume in pod["volumes"]
            if volume.get("emptyDir", {}).get("medium") == "Memory"
        )
        assert mebibytes(container["resources"]["requests"]["memory"]) <= limit
        assert in_memory <= limit / 2
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_every_mount_has_its_volume(overlay: tuple[str, list[Resource]]) -> None:
    """What a container mounts is defined, and what is defined is mounted."""
    _, resources = overlay
    sets = of_kind(resources, "StatefulSet")
    for name, pod in pods(resources).items():
        claims = sets[name]["spec"]["volumeClaimTemplates"] if name in sets else []
        defined = {volume["name"] for volume in pod["volumes"]} | {
            item["metadata"]["name"] for item in claims
        }
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == defined


def test_a_worker_has_time_to_end_what_it_began(overlay: tuple[str, list[Resource]]) -> None:
    """Grace, cooldown and the pause before fewer workers are all above the longest hard limit."""
    _, resources = overlay
    for deployment in workers(resources).values():
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= HARD_LIMIT_S
        # The scaler counts them.
        assert "replicas" not in deployment["spec"]
    for scaler in of_kind(resources, "ScaledObject").values():
        spec = scaler["spec"]
        assert spec["cooldownPeriod"] > HARD_LIMIT_S
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] > HARD_LIMIT_S
        assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]


def test_a_worker_is_restarted_later_than_called_unready(overlay: tuple[str, list[Resource]]) -> None:
    """A broker that is away for a minute makes workers unready and restarts none."""
    _, resources = overlay
    for deployment in workers(resources).values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["exec"]["command"] == ["healthy", "worker"]
        *command, seconds = container["livenessProbe"]["exec"]["command"]
        assert command == ["healthy", "worker"]
        assert int(seconds) >= 120


def test_scalers_see_what_waits_and_what_runs(overlay: tuple[str, list[Resource]]) -> None:
    """Their query sums the depth of both states and priorities, and counts no gateway twice."""
    _, resources = overlay
    for scaler in of_kind(resources, "ScaledObject").values():
        (trigger,) = scaler["spec"]["triggers"]
        assert trigger["type"] == "prometheus"
        assert re.fullmatch(
            r'max\(sum by \(instance\) \(obscura_queue_depth\{queue="[^"]+"\}\)\)',
            trigger["metadata"]["query"],
        )
        assert int(trigger["metadata"]["threshold"]) >= 1
    (depth,) = (metric for metric in CATALOGUE.values() if metric.shown_name == "obscura_queue_depth")
    assert set(depth.labels) == {"queue", "priority", "state"}


def test_what_is_scaled_or_guarded_exists(overlay: tuple[str, list[Resource]]) -> None:
    """Scalers and budgets name what is there, and nothing of ours is without a budget."""
    _, resources = overlay
    made = pods(resources)
    for scaler in of_kind(resources, "ScaledObject", "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in made
    budgets = of_kind(resources, "PodDisruptionBudget").values()
    assert {item["spec"]["selector"]["matchLabels"][INSTANCE] for item in budgets} == set(made)
    assert all(item["spec"]["maxUnavailable"] == 1 for item in budgets)


def test_services_lead_to_ports_that_are_served(overlay: tuple[str, list[Resource]]) -> None:
    """Each Service's port is one that a container of the pods it selects listens on."""
    _, resources = overlay
    for service in of_kind(resources, "Service").values():
        pod = pods(resources)[service["spec"]["selector"][INSTANCE]]
        served = {port["name"] for port in pod["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= served
    gateway = pods(resources)["gateway"]["containers"][0]
    assert [port["containerPort"] for port in gateway["ports"]] == [8000]


def test_nothing_flows_that_is_not_named(overlay: tuple[str, list[Resource]]) -> None:
    """All is denied first; then only the gateway is called, and only queue, names, bucket and rows."""
    _, resources = overlay
    policies = {name: item["spec"] for name, item in of_kind(resources, "NetworkPolicy").items()}
    denied = policies.pop("nothing")
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {
        name: {port["port"] for rule in spec.get("ingress", spec.get("egress")) for port in rule["ports"]}
        for name, spec in policies.items()
    }
    assert ports == {
        "names": {53},
        "callers": {8000},
        "queue": {6379},
        "to-queue": {6379},
        "to-storage": {443},
        "to-database": {5432},
    }
    # A rule without a peer would mean everybody.
    peers = [
        rule.get("from", rule.get("to"))
        for spec in policies.values()
        for rule in spec.get("ingress", spec.get("egress"))
    ]
    assert all(peers)
    assert not any("0.0.0.0/0" in str(peer) or "::/0" in str(peer) for peer in peers)


def test_selectors_of_policies_and_pods_agree(overlay: tuple[str, list[Resource]]) -> None:
    """Every component that a policy speaks of has pods."""
    _, resources = overlay
    present = {
        item["spec"]["template"]["metadata"]["labels"][COMPONENT]
        for item in of_kind(resources, "Deployment", "StatefulSet").values()
    }
    text = (FOLDER / "base" / "network.yaml").read_text(encoding="utf-8")
    spoken = set(re.findall(rf"{COMPONENT}: ([a-z]+)", text))
    spoken |= {
        word.strip() for words in re.findall(r"values: \[([^\]]+)\]", text) for word in words.split(",")
    }
    assert spoken == present == {"gateway", "worker", "queue"}


def test_the_queue_keeps_what_it_was_told(overlay: tuple[str, list[Resource]]) -> None:
    """Valkey writes its log every second, refuses rather than forgets, asks for a password, has a disk."""
    _, resources = overlay
    text = of_kind(resources, "ConfigMap")["valkey"]["data"]["valkey.conf"]
    for line in ("appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"):
        assert line in text.splitlines()
    assert "include /run/secrets/valkey/valkey-auth.conf" in text
    assert of_kind(resources, "StatefulSet")["valkey"]["spec"]["volumeClaimTemplates"]


def test_gpus_are_asked_for_where_networks_run() -> None:
    """The GPU overlay gives the two detectors a GPU each and their image, and changes no other worker."""
    resources = rendered(FOLDER / "overlays" / "gpu")
    wanted = {
        name
        for name, pod in pods(resources).items()
        if "nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"]
    }
    assert wanted == {"face-detection", "plate-detection"}
    for name, pod in pods(resources).items():
        is_gpu = name in wanted
        assert (variables(pod).get("OBSCURA_DEVICE") == "cuda") is is_gpu
        assert ("-gpu:" in pod["containers"][0]["image"]) is is_gpu
