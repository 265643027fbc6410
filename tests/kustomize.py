"""The part of kustomize that deploy/kubernetes uses: resources, strategic-merge patches, images, a namespace.

Tests read what an overlay comes to also where no kubectl is; where one is, a test compares the two.
"""

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]
# What tells the items of a list apart, by the list's name; lists of other names are replaced as a whole.
KEYS = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
CLUSTER_WIDE = {"Namespace"}


def documents(path: Path) -> list[Resource]:
    """Return the resources of a file."""
    return [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]


def merged(old: Any, new: Any, name: str = "") -> Any:
    """Return ``old`` with the patch ``new`` laid over it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value, key) for key, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list) and name in KEYS:
        key = KEYS[name]
        patches = {item[key]: item for item in new}
        kept = [merged(item, patches.pop(item[key], {})) for item in old]
        return [*patches.values(), *kept]
    return copy.deepcopy(new)


def chosen(resource: Resource, target: dict[str, str]) -> bool:
    """Whether a patch's target names this resource; names are whole regular expressions."""
    metadata = resource["metadata"]
    wanted = dict(item.split("=") for item in filter(None, target.get("labelSelector", "").split(",")))
    return (
        target.get("kind", resource["kind"]) == resource["kind"]
        and re.fullmatch(target.get("name", ".*"), metadata["name"]) is not None
        and wanted.items() <= metadata.get("labels", {}).items()
    )


def patched(resources: Iterable[Resource], patch: Resource, target: dict[str, str]) -> list[Resource]:
    """Return the resources with ``patch`` laid over those that ``target`` names."""
    patch = dict(patch)
    removes = patch.pop("$patch", "") == "delete"
    found = []
    for resource in resources:
        if not chosen(resource, target):
            found.append(resource)
        elif not removes:
            # A patch has a name because it must; the resource keeps its own.
            found.append(
                {**merged(resource, patch), "metadata": merged(resource["metadata"], _unnamed(patch))}
            )
    return found


def _unnamed(patch: Resource) -> dict[str, Any]:
    return {key: value for key, value in patch["metadata"].items() if key != "name"}


def with_image(pod: dict[str, Any], images: dict[str, dict[str, str]]) -> None:
    """Put the names and tags of ``images`` into a pod's containers, in place: ``pod`` is ours."""
    for container in pod["containers"]:
        change = images.get(container["image"].partition(":")[0])
        if change:
            name, _, tag = container["image"].partition(":")
            container["image"] = f"{change.get('newName', name)}:{change.get('newTag', tag)}"


def rendered(folder: Path) -> list[Resource]:
    """Return what ``kubectl kustomize FOLDER`` prints, in no certain order."""
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    known = {"apiVersion", "kind", "namespace", "resources", "patches", "images"}
    assert set(plan) <= known, f"{folder} uses more of kustomize than these tests know"
    resources: list[Resource] = []
    for name in plan["resources"]:
        path = folder / name
        resources += rendered(path.resolve()) if path.is_dir() else documents(path)
    for entry in plan.get("patches", []):
        (patch,) = documents(folder / entry["path"])
        own = {"kind": patch["kind"], "name": patch["metadata"]["name"]}
        resources = patched(resources, patch, entry.get("target", own))
    images = {image["name"]: image for image in plan.get("images", [])}
    for resource in resources:
        if resource["kind"] not in CLUSTER_WIDE:
            resource["metadata"]["namespace"] = plan["namespace"]
        if "template" in resource.get("spec", {}):
            with_image(resource["spec"]["template"]["spec"], images)
    return resources
