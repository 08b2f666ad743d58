"""How fast the networks of a sweep are, and how closely their times follow their MACs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prunetune.plan import Plan
from prunetune.records.bench import Bench, Conditions
from prunetune.records.record import Frozen, Record
from prunetune.statistics.correlation import pearson, spearman


class Latency(Frozen):
    """One network at one batch under one set of conditions; times are of whole batches."""

    study: str
    """`dense` for a dense network."""
    key: str
    seed: int
    macs: int
    params: int | None
    file_bytes: int
    device: str
    threads: int
    dtype: str
    memory_format: str
    batch: int
    median_s: float
    p90_s: float
    peak_memory_bytes: int | None
    energy_j_per_image: float | None
    masked: bool = False
    """Whether MACs count the nonzero weights of a network that is as wide as the dense one."""

    @property
    def conditions(self) -> Conditions:
        """What the time depends on besides the network and the batch."""
        return Conditions(self.device, self.threads, self.dtype, self.memory_format)


class LatencyCorrelation(Frozen):
    """How closely the times of several networks follow their MACs."""

    device: str
    threads: int
    dtype: str
    memory_format: str
    batch: int
    networks: int
    pearson: float | None
    """None below three networks."""
    spearman: float | None


def latencies(plan: Plan, records: Mapping[str, Record], benches: Iterable[Bench]) -> list[Latency]:
    """The times of every network that was timed and whose trial has a record."""
    masked = {study.id for study in plan.studies if study.masked}
    found = [
        latency
        for bench in benches
        if bench.key in records
        for latency in latencies_of(records[bench.key], bench, records[bench.key].study in masked)
    ]
    order = {study: i for i, study in enumerate(["dense", *(s.id for s in plan.studies)])}
    return sorted(found, key=lambda each: (order.get(each.study, 0), each.seed, each.batch))


def latencies_of(record: Record, bench: Bench, masked: bool = False) -> Iterator[Latency]:
    """The times of the network of a trial."""
    for timing in bench.timings:
        yield Latency(
            study=record.study or "dense",
            key=record.key,
            seed=record.seed,
            macs=record.macs or record.target_macs,
            params=record.params,
            file_bytes=bench.file_bytes,
            device=bench.device,
            threads=timing.threads,
            dtype=timing.dtype,
            memory_format=timing.memory_format,
            batch=timing.batch,
            median_s=timing.median_s,
            p90_s=timing.p90_s,
            peak_memory_bytes=timing.peak_memory_bytes,
            energy_j_per_image=timing.energy_j_per_image,
            masked=masked,
        )


def latency_correlations(found: Iterable[Latency]) -> list[LatencyCorrelation]:
    """One for each batch under each set of conditions; masked networks are left out."""
    groups: dict[tuple[Conditions, int], list[Latency]] = {}
    for latency in found:
        if not latency.masked:
            groups.setdefault((latency.conditions, latency.batch), []).append(latency)
    correlations = []
    for (conditions, batch), group in groups.items():
        macs, seconds = [float(each.macs) for each in group], [each.median_s for each in group]
        correlations.append(
            LatencyCorrelation(
                **conditions._asdict(),
                batch=batch,
                networks=len(group),
                pearson=pearson(macs, seconds),
                spearman=spearman(macs, seconds),
            )
        )
    return correlations
