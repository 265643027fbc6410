"""Dashboard, alert rules and scrape settings, read as data: what they name exists."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_service.metrics.exposition import expose
from obscura.observability.catalogue import CATALOGUE, Kind

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
# Words of the query language that are no metrics.
WORDS = {
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
}
# What Prometheus adds itself.
ITS_OWN = {"up"}
ITS_LABELS = {"instance", "job", "le"}


def rules() -> list[dict[str, Any]]:
    """Return all alert rules."""
    content = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return all panels of the dashboard."""
    content = json.loads((FOLDER / "grafana" / "dashboards" / "obscura.json").read_text("utf-8"))
    found: list[dict[str, Any]] = content["panels"]
    return found


def queries() -> Iterator[str]:
    """Return every query of dashboard, alerts and autoscalers."""
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in rules())
    for path in sorted((ROOT / "deploy" / "kubernetes").rglob("*.yaml")):
        yield from re.findall(r"^\s*query: (.+)$", path.read_text("utf-8"), re.MULTILINE)


def names_in(query: str) -> set[str]:
    """Return the metrics that a query names."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    words = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return set(words) - WORDS


def labels_in(query: str) -> set[str]:
    """Return the labels that a query names."""
    lists = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query)
    selectors = re.findall(r"\{([^}]*)\}", query)
    named = {word.strip() for text in lists for word in text.split(",") if word.strip()}
    return named | {word for text in selectors for word in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", text)}


def names_on(page: str) -> set[str]:
    """Return all names that a page of /metrics describes, those of the parts of histograms as well."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def heading_links(text: str) -> set[str]:
    """Return how links name the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("query", "names", "labels"),
    [
        (
            'sum by (a, b) (max without (c) (rate(x_total{d="up", e=~"y"}[5m]))) / z > 2',
            {"x_total", "z"},
            set("abcde"),
        ),
        ("histogram_quantile(0.95, sum by (le) (rate(h_bucket[1m]))) or vector(0)", {"h_bucket"}, {"le"}),
        ("time() - m > 60 and on (q) n", {"m", "n"}, {"q"}),
    ],
)
def test_queries_are_read_rightly(query: str, names: set[str], labels: set[str]) -> None:
    """Functions, words, strings and ranges are no metrics."""
    assert names_in(query) == names
    assert labels_in(query) == labels


def test_every_metric_that_is_asked_for_exists() -> None:
    """Dashboard, alerts and autoscalers name nothing that /metrics does not show."""
    asked = set().union(*map(names_in, queries()))
    page = expose({}, "")[0].decode()
    assert asked <= names_on(page) | ITS_OWN
    assert len(asked) > 30


def test_every_label_that_is_asked_for_exists() -> None:
    """A label is one of the metrics that the query names, or Prometheus' own."""
    parts = re.compile(r"^obscura_(\w+?)(_bucket|_sum|_count)?$")
    for query in queries():
        known = set(ITS_LABELS)
        for name in names_in(query):
            found = parts.match(name)
            metric = CATALOGUE.get(name.removeprefix("obscura_")) or (
                CATALOGUE.get(found[1]) if found else None
            )
            known |= set(metric.labels) if metric else set()
        assert labels_in(query) <= known, query


def test_several_gateways_are_not_added_up() -> None:
    """Each shows the numbers of all: sums take `max without (instance)`, or one instance at a time."""
    for query in queries():
        for start in re.finditer(r"\bsum\s*(?:by \([^)]*\)\s*)?\(", query):
            after = query[start.end() :]
            alone = re.match(r"sum by \([^)]*\binstance\b", start[0])
            assert after.startswith("max without (instance)") or alone, query


def test_every_alert_says_what_to_do() -> None:
    """Each has a summary, a severity, and a heading of docs/how-to/operations.md that is there."""
    links = heading_links((ROOT / "docs/how-to/operations.md").read_text("utf-8"))
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 15
    for rule in rules():
        page, _, heading = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/how-to/operations.md"
        assert heading in links
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"page", "warn"}


def test_the_dashboard_asks_the_provisioned_source() -> None:
    """Panels have ids of their own, places that do not overlap, and the one source that is set up."""
    (source,) = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == source["uid"]


def test_what_compose_mounts_is_there() -> None:
    """Every file that a container reads lies in the checkout, and where the settings look for it."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            source = re.sub(r"^\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), volume
    targets = {
        volume.rsplit(":", 2)[-2] for volume in services["prometheus"]["volumes"] if volume.endswith(":ro")
    }
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    (scrape,) = config["scrape_configs"]
    assert f"/etc/prometheus/{scrape['authorization']['credentials_file']}" in targets
    assert {f"/etc/prometheus/{path}" for path in config["rule_files"]} <= targets
    (found,) = scrape["dns_sd_configs"]
    assert set(found["names"]) <= services.keys()


def test_histograms_have_bounds_and_no_other_metric_has() -> None:
    """The catalogue's kinds fit their names."""
    for metric in CATALOGUE.values():
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    """The settings load, and each alert fires when it should and is silent when all is well."""
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    shutil.copy(FOLDER / "no.key", tmp_path / "metrics.key")
    rules_test = str(Path(__file__).with_name("alerts_test.yml"))
    for command in (["check", "config", str(tmp_path / "prometheus.yml")], ["test", "rules", rules_test]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
