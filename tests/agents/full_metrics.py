"""What a scrape finds, and the metrics of a worker in which everything that can have a series has one."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agents.metrics import Metrics
from agents.partition_metrics import TABLES, PartitionMetrics
from schemas.channels import ALERTS, ATTRIBUTED, CASCADES, CONTRIBUTIONS, SIGNALS, VITALS
from schemas.vitals import WINDOWS, Measures, Vitals, WindowVitals

PARTITIONS = 16
PIPELINE = (SIGNALS.name, ATTRIBUTED.name, CONTRIBUTIONS.name)
RAW = tuple(f"social.raw.network{number}" for number in range(5))
Series = dict[tuple[str, tuple[str, ...]], float]


def series(metrics: PartitionMetrics) -> Series:
    """Return what a scrape finds: (name, label values in the order of their names) -> value."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def labels_of(found: Series, name: str) -> set[tuple[str, ...]]:
    """Return the label values under which a name is found."""
    return {labels for found_name, labels in found if found_name == name}


def vitals(topic: str) -> Vitals:
    """Make the vitals of a topic in which nothing is null."""
    measures = Measures(**dict.fromkeys(Measures.__struct_fields__, 1))  # type: ignore[arg-type]
    window = WindowVitals(1, {"post": 1}, {"brand": 1}, 1.0, 1, 1.0)
    return Vitals(1, "cern", topic, "growing", 1, dict.fromkeys(WINDOWS, window), measures)


def full_metrics(*, topics: int = 1) -> Metrics:
    """Return the metrics of one worker that owns all partitions of the pipeline and watches this many topics."""
    metrics = Metrics(version="1.2.3", channels=[*PIPELINE, *RAW])
    for channel in PIPELINE:
        for partition in range(PARTITIONS):
            metrics.observe_partition(
                channel,
                partition,
                watermark_ms=1,
                reorder_buffer_records=1,
                applied_offset=1,
                committed_offset=1,
                checkpoint_offset=1,
                end_offset=2,
                age_s=1.0,
            )
            metrics.set_cascades(partition, open=1, orphans=1)
    for table, _ in TABLES:
        for partition in range(PARTITIONS):
            metrics.set_table(table, partition, rows=1, size_bytes=1)
    for channel in (*RAW, VITALS.name, CASCADES.name, ALERTS.name):
        for partition in range(PARTITIONS):
            metrics.observe_partition(channel, partition, applied_offset=1, end_offset=2)
    for number in range(topics):
        metrics.topics.set(number % PARTITIONS, vitals(f"t{number}"))
    metrics.set_config("abc")
    return metrics
