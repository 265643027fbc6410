"""Write metric series in the Prometheus text formats."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from obscura.observability.catalogue import CATALOGUE, INFINITE, SEPARATOR, SUM, Kind, Metric, bound_text

__all__ = ["expose"]

Labelled = dict[tuple[str, ...], float]


def expose(series: Mapping[str, float], accept: str) -> tuple[bytes, str]:
    """Return the exposition in a format of the header ``accept``, and its media type.

    Series that are not in this release's catalogue, written by another release, are left out.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Series(series))
    # Memory, processor time and open files of this gateway process, unlike all other series.
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Series(Collector):
    """All metrics of the catalogue, including those without a value."""

    def __init__(self, series: Mapping[str, float]) -> None:
        self._values: dict[str, Labelled] = defaultdict(dict)
        for text, value in series.items():
            name, *labels = text.split(SEPARATOR)
            self._values[name][tuple(labels)] = value

    def collect(self) -> Iterator[Family]:
        """Yield the metric families in the catalogue's order."""
        for metric in CATALOGUE.values():
            yield _family(metric, self._values.get(metric.name, {}))


def _family(metric: Metric, values: Labelled) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(metric, values)
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(metric.shown_name, metric.text, labels=metric.labels)
    for labels, value in sorted(values.items()):
        if len(labels) == len(metric.labels):
            family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, values: Labelled) -> Family:
    family = HistogramMetricFamily(metric.shown_name, metric.text, labels=metric.labels)
    bounds = (*map(bound_text, metric.buckets), INFINITE)
    for labels in sorted({key[:-1] for key in values if len(key) == len(metric.labels) + 1}):
        total, buckets = 0.0, []
        for bound in bounds:
            total += values.get((*labels, bound), 0.0)
            buckets.append((bound, total))
        family.add_metric(labels, buckets, values.get((*labels, SUM), 0.0) / metric.scale)
    return family
