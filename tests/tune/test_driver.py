"""The state of a sweep, driven by hand: whatever order Ray tells things in, the books are right."""

import random
import time
from pathlib import Path

import pytest

from prunetune.agenda import Agenda, Deal, Finished, Wait, closed, counts
from prunetune.config.search import Asha
from prunetune.data.files import DataMissingError
from prunetune.records.files import StorageError
from prunetune.records.store import Store
from prunetune.records.trial_outcome import TrialOutcome
from prunetune.tune.breaks import RETRIES, STANDSTILLS, BreakLog
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from prunetune.tune.faults import Fault, describe, raised
from prunetune.tune.rungs import rung
from tests.tune.fakes import epoch, make_plan, quick


class Witness:
    """Writes down what it hears, and whether the disk knew it before."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.dealt, self.epochs, self.records = [], [], []
        self.early = []

    def on_dealt(self, spec):
        self.dealt.append(spec.key)
        if not self.store.trial_folder(spec.key).trial.exists():
            self.early.append(spec.key)

    def on_epoch(self, spec, epoch):
        self.epochs.append((spec.key, epoch.epoch))

    def on_record(self, record):
        self.records.append(record.key)
        if not self.store.record_file(record.key).exists():
            self.early.append(record.key)

    def close(self):
        pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "fake")


class Clock:
    """The monotonic clock, as the test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def make_driver(store: Store, slots: int = 2, **changes) -> tuple[Driver, Witness]:
    witness = Witness(store)
    return Driver(make_plan(**changes), store, Broadcast([witness]), slots=slots), witness


def finish(driver: Driver, key: str) -> None:
    for report in quick(driver.running[key].spec, driver.store, device="cpu", offline=True):
        if driver.report(key, report):
            break
    driver.complete(key)


def run_out(driver: Driver, choose: random.Random, fault_rate: float = 0.0) -> None:
    """Deal, finish and break trials in a random order until nothing is left."""
    while True:
        due = driver.deal()
        assert len(driver.running) <= driver.slots
        if isinstance(due, Finished):
            return
        if isinstance(due, Wait) or choose.random() < 0.5:
            key = choose.choice(sorted(driver.running))
            if choose.random() < fault_rate:
                driver.fault(key, Fault("boom", "trace"))
            else:
                finish(driver, key)


@pytest.mark.parametrize("seed", range(5))
def test_every_owed_trial_is_recorded_once_and_heard_of_after_it_is_written(store, seed):
    driver, witness = make_driver(store, slots=1 + seed)
    run_out(driver, random.Random(seed))
    assert len(witness.records) == len(set(witness.records)) == counts(driver.plan).total.total
    assert sorted(witness.dealt) == sorted(witness.records) == sorted(store.records())
    assert witness.early == []
    records = store.records()
    assert records.keys() == store.trials().keys()
    assert driver.trials.records == {key: TrialOutcome.of(r) for key, r in records.items()}
    assert driver.trials.dealt == {}


@pytest.mark.parametrize("seed", range(5))
def test_with_faults_everything_ends_as_a_record_or_as_closed_work(store, seed):
    driver, witness = make_driver(store, slots=3)
    run_out(driver, random.Random(seed), fault_rate=0.5)
    shut = closed(Agenda(driver.plan, driver.trials))
    assert len(driver.trials.records) + len(shut) == counts(driver.plan).total.total
    for key, record in driver.trials.records.items():
        attempts = witness.dealt.count(key)
        assert attempts <= RETRIES + 1
        assert record.status == "completed" or attempts == RETRIES + 1


def test_a_restart_deals_unfinished_trials_again_unchanged_and_repeats_nothing(store):
    first, _ = make_driver(store)
    finish(first, first.deal().spec.key)
    left = [first.deal().spec, first.deal().spec]
    again, witness = make_driver(store)
    assert [again.deal().spec for _ in left] == sorted(
        left, key=lambda s: witness.dealt.index(s.key)
    )
    assert not again.trials.records.keys() & set(witness.dealt)


def test_from_records_alone_it_goes_on_and_dense_networks_can_be_trained_again(store, tmp_path):
    whole, _ = make_driver(store)
    run_out(whole, random.Random(0))
    rest = Store(tmp_path / "elsewhere", "fake")
    kept = [r for r in store.records().values() if r.phase in ("dense", "search")]
    for record in kept:
        rest.write_record(record)
    again, witness = make_driver(rest)
    run_out(again, random.Random(0))
    assert again.trials.records.keys() == whole.trials.records.keys()
    assert not {record.key for record in kept} & set(witness.dealt)
    for key in witness.dealt:
        dense = rest.trial(key).inputs.get("dense")
        assert dense is None or rest.trial(dense) == store.trial(dense)


def test_a_trial_is_closed_once_whoever_tells_first(store):
    driver, witness = make_driver(store)
    key = driver.deal().spec.key
    finish(driver, key)
    record = store.records()[key]
    driver.complete(key)
    driver.fault(key, Fault("late", "trace"))
    assert driver.report(key, {"status": "failed"}) is False
    assert store.records() == {key: record}
    assert witness.records == [key]


def test_reports_told_twice_count_once(store):
    driver, witness = make_driver(store)
    key = driver.deal().spec.key
    for report in ({"curve": [epoch(1, 0.5)]}, {"curve": [epoch(1, 0.5), epoch(2, 0.6)]}):
        driver.report(key, report)
        driver.report(key, report)
    driver.report(key, {"status": "completed"})
    driver.complete(key)
    assert witness.epochs == [(key, 1), (key, 2)]
    assert [e.epoch for e in store.record(key).curve] == [1, 2]


def test_a_preempted_trial_is_not_charged(store):
    driver, _ = make_driver(store, slots=1)
    key = driver.deal().spec.key
    for _ in range(RETRIES + 3):
        driver.fault(key, Fault("the worker died", "", preempted=True))
        assert driver.deal().spec.key == key
    for _ in range(RETRIES + 1):
        driver.fault(key, Fault("ValueError: bad", "trace"))
        driver.deal()
    assert driver.trials.records[key].status == "failed"
    assert driver.trials.records[key].error == "ValueError: bad"
    assert store.trial_folder(key).error.read() == b"trace"


DEATH = Fault("the worker died", "", died=True)


def break_at(driver: Driver, epochs: int, fault: Fault) -> str:
    """Deal the oldest trial, let it reach an epoch, and break it off."""
    key = driver.deal().spec.key
    driver.report(key, {"curve": [epoch(n + 1, 0.5) for n in range(epochs)]})
    driver.fault(key, fault)
    return key


def test_a_trial_that_gets_further_each_time_is_never_closed(store):
    driver, _ = make_driver(store, slots=1)
    keys = {break_at(driver, n, DEATH) for n in range(10 * STANDSTILLS)}
    assert len(keys) == 1
    assert store.records() == {}


def test_deaths_at_one_point_close_a_trial_and_its_record_says_whose_fault_it_was(store):
    driver, _ = make_driver(store, slots=1)
    keys = {break_at(driver, 1, DEATH) for _ in range(STANDSTILLS + 1)}
    (key,) = keys
    record = store.records()[key]
    assert (record.status, record.failed_by) == ("failed", "death")
    assert record.error == (
        f"the worker died, {STANDSTILLS + 1} times in a row without getting further: "
        "a fault of the machines more than of the configuration"
    )


def test_deaths_and_exceptions_are_counted_apart_and_over_all_starts(store):
    key = ""
    for _ in range(STANDSTILLS):  # each in a driver of its own, as after kills
        key = break_at(make_driver(store, slots=1)[0], 1, DEATH)
    for _ in range(RETRIES):
        assert break_at(make_driver(store, slots=1)[0], 1, Fault("ValueError: bad", "")) == key
    assert store.records() == {}
    last, _ = make_driver(store, slots=1)
    break_at(last, 1, Fault("ValueError: bad", ""))
    assert (store.records()[key].failed_by, store.records()[key].error) == (
        "exception",
        "ValueError: bad",
    )


def test_a_damaged_log_of_breaks_is_set_aside(store):
    driver, _ = make_driver(store, slots=1)
    key = break_at(driver, 1, DEATH)
    file = store.trial_folder(key).breaks
    file.write(file.read()[:-9])
    assert break_at(driver, 1, DEATH) == key
    assert len(BreakLog(file).breaks) == 1
    assert file.path.with_name("breaks.json.damaged-1").exists()


def test_a_hang_is_told_by_what_the_worker_left(store):
    driver, _ = make_driver(store, slots=1)
    for _ in range(STANDSTILLS + 1):
        key = driver.deal().spec.key
        store.trial_folder(key).hang.write(b"no sign of life for 300 s\nstack\n")
        driver.fault(key, DEATH)
    record = store.records()[key]
    assert record.failed_by == "hang"
    assert record.error.startswith("no sign of life for 300 s, 6 times in a row")
    assert b"stack" in store.trial_folder(key).error.read()


def test_a_trial_that_had_ended_before_its_worker_died_is_not_repeated(store):
    driver, _ = make_driver(store, slots=1)
    key = driver.deal().spec.key
    for report in quick(driver.running[key].spec, store, device="cpu", offline=True):
        driver.report(key, report)
    driver.fault(key, DEATH)
    assert store.records()[key].status == "completed"


def test_an_abandoned_trial_has_no_record(store):
    driver, witness = make_driver(store)
    key = driver.deal().spec.key
    driver.report(key, {"curve": [epoch(1, 0.5)]})
    driver.interrupted = 2
    driver.complete(key)
    assert store.records() == {}
    assert witness.records == []
    assert isinstance(driver.deal(), Finished)


def test_a_full_disk_in_a_worker_ends_the_sweep_not_the_trial(store):
    driver, _ = make_driver(store)
    key = driver.deal().spec.key
    with driver.guarded():
        driver.fault(key, raised(describe(OSError(28, "No space left on device")), ""))
    assert isinstance(driver.failure, StorageError)
    assert driver.abandoned
    assert store.records() == {}


def test_what_the_user_has_to_mend_ends_the_sweep_not_the_trial(store):
    driver, _ = make_driver(store)
    key = driver.deal().spec.key
    with driver.guarded():
        driver.fault(key, raised(describe(DataMissingError("put it there")), ""))
    assert isinstance(driver.failure, DataMissingError)
    assert driver.abandoned
    assert store.records() == {}


def test_a_record_that_cannot_be_written_is_heard_by_nobody(store):
    driver, witness = make_driver(store)
    key = driver.deal().spec.key
    (store.root / "records").write_text("in the way")
    with driver.guarded():
        finish(driver, key)
    assert isinstance(driver.failure, OSError)
    assert witness.records == []


def test_past_its_hours_nothing_is_dealt_and_the_limit_is_told_only_if_work_is_left(store, clock):
    hours = {"limits": {"hours": 2.0}}
    driver, _ = make_driver(store, **hours)
    key = driver.deal().spec.key
    clock.now += 7200
    assert isinstance(driver.deal(), Finished)
    assert driver.limited
    finish(driver, key)
    assert key in store.records()

    rest, _ = make_driver(store)
    run_out(rest, random.Random(0))
    done, _ = make_driver(store, **hours)
    assert isinstance(done.deal(), Finished)
    assert not done.limited


def test_hours_count_over_all_starts_also_after_kills_and_clock_jumps(store, clock, monkeypatch):
    limits = {"limits": {"hours": 1.0}}
    for start in range(3):
        driver, _ = make_driver(store, slots=4, **limits)
        assert isinstance(driver.deal(), Deal), start
        monkeypatch.setattr(time, "time", lambda: 0.0)  # the wall clock is set back by decades
        for _ in range(90):  # 15 min of reports; then it is killed
            clock.now += 10
            driver.report(next(iter(driver.running)), {})
        clock.now += 86_400  # nothing runs until the next start
    driver, _ = make_driver(store, slots=4, **limits)
    assert isinstance(driver.deal(), Deal)
    clock.now += 900
    assert isinstance(driver.deal(), Finished)
    assert driver.limited
    assert make_driver(store, **limits)[0].time.seconds == 3600


def test_a_damaged_running_time_is_set_aside_by_name(store, caplog):
    store.running_time.write(b"{")
    driver, _ = make_driver(store, limits={"hours": 1.0})
    assert isinstance(driver.deal(), Deal)
    assert "running_time.json: damaged, set aside as running_time.json.damaged-1" in caplog.text
    assert (store.root / "running_time.json.damaged-1").read_bytes() == b"{"


def test_a_stopped_trial_keeps_its_curve_and_one_that_runs_on_says_where(store):
    driver, _ = make_driver(store, slots=1, trials=12, asha=Asha(reduction=3, run_on=2))
    run_out(driver, random.Random(0))
    search = [r for r in store.records().values() if r.phase == "search"]
    dealt = store.trials()
    for study in driver.plan.studies:
        own = [r for r in search if r.study == study.id]
        stopped = [r for r in own if r.status == "stopped"]
        assert stopped
        assert all(r.epochs == len(r.curve) == rung(r.epochs_planned) for r in stopped)
        ran_on = [r for r in own if dealt[r.key].run_on]
        assert len(ran_on) == 2
        assert all(r.status == "completed" and r.epochs == 3 for r in ran_on)
    assert any(r.would_stop_at == 2 for r in search)
    assert all(dealt[r.key].run_on for r in search if r.would_stop_at)


def test_studies_of_fewer_than_eight_trials_stop_none(store):
    driver, _ = make_driver(store, slots=1, trials=7, asha=Asha(reduction=3, run_on=0))
    run_out(driver, random.Random(0))
    statuses = {r.status for r in driver.trials.records.values() if r.phase == "search"}
    assert statuses == {"completed"}


def test_a_trial_that_passed_its_rung_before_its_worker_died_is_not_judged_again(store):
    driver, _ = make_driver(store, slots=4, trials=12, asha=Asha(reduction=3, run_on=0))
    dealt = []
    while len(dealt) < 4:  # on one study, the dense network done
        due = driver.deal()
        if due.spec.arm == "thin":
            dealt.append(due.spec.key)
        else:
            finish(driver, due.spec.key)
    first, *others = dealt
    assert not driver.report(first, {"curve": [epoch(1, 0.1), epoch(2, 0.1)]})
    driver.fault(first, Fault("the worker died", "", preempted=True))
    for key in others:
        driver.report(key, {"curve": [epoch(1, 0.9), epoch(2, 0.9)]})
    assert driver.deal().spec.key == first
    for number in (1, 2, 3):
        assert not driver.report(first, {"curve": [epoch(number, 0.1)]})


def test_an_observer_that_fails_is_reported_once_and_harms_nobody(store, caplog):
    class Broken(Witness):
        def on_dealt(self, spec):
            raise ConnectionError("away")

        on_epoch = on_record = close = on_dealt

    witness = Witness(store)
    plan = make_plan()
    broadcast = Broadcast([Broken(store), witness])
    driver = Driver(plan, store, broadcast, slots=2)
    run_out(driver, random.Random(0))
    broadcast.close()
    assert len(witness.records) == counts(plan).total.total
    assert [r.message for r in caplog.records] == ["Broken failed; the sweep goes on"]


def test_what_runs_first_is_the_dense_network_and_a_thin_one_beside_it(store):
    driver, _ = make_driver(store)
    first, second = driver.deal(), driver.deal()
    assert isinstance(first, Deal)
    assert isinstance(second, Deal)
    assert (first.spec.phase, second.spec.arm) == ("dense", "thin")
    assert isinstance(driver.deal(), Wait)
