from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.tracking.backlog import Backlog
from prunetune.tracking.updates import EpochsUpdate, RecordUpdate, Update
from tests.tracking.sweeps import make_epochs, make_plan, make_record, make_spec

PLAN = make_plan()
SPECS = [make_spec(PLAN, PLAN.studies[0], number) for number in range(2)]
EPOCHS = 5


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_nothing_is_lost_however_often_writing_fails(data: st.DataObject) -> None:
    """Trials tell their epochs and end, attempts to write succeed or fail: all arrives in time."""
    backlog = Backlog()
    news: list[list[Update]] = [
        [
            EpochsUpdate(s),
            *(EpochsUpdate(s, ((e, 0),)) for e in make_epochs(s, EPOCHS)),
            RecordUpdate(make_record(s, epochs=EPOCHS)),
        ]
        for s in SPECS
    ]
    written: dict[str, set[int]] = {spec.key: set() for spec in SPECS}
    ended: list[str] = []
    while any(news):
        tell_one(backlog, news, data.draw(st.integers(0, 1)))
        if not data.draw(st.booleans()):
            continue
        updates = backlog.take(0)
        keep = data.draw(st.integers(0, len(updates)))
        if any(news) and data.draw(st.booleans()):
            tell_one(backlog, news, data.draw(st.integers(0, 1)))
        for update in updates[:keep]:
            note(update, written, ended)
            backlog.written(update)
        assert {u.subject for u in updates[keep:]} <= {u.subject for u in backlog.left()}
        backlog.put_back(updates[keep:])
    backlog.close()
    for update in backlog.take(0):
        note(update, written, ended)
    assert sorted(ended) == sorted(spec.key for spec in SPECS)
    assert all(found == set(range(1, EPOCHS + 1)) for found in written.values())
    assert backlog.take(0) == []


def tell_one(backlog: Backlog, news: list[list[Update]], first: int) -> None:
    teller = news[first] or news[1 - first]
    backlog.put([teller.pop(0)])


def note(update: Update, written: dict[str, set[int]], ended: list[str]) -> None:
    if isinstance(update, RecordUpdate):
        ended.append(update.subject)
        written[update.subject] |= {epoch.epoch for epoch in update.record.curve}
    elif isinstance(update, EpochsUpdate):
        assert update.subject not in ended, "what has ended does not go on"
        told = [epoch.epoch for epoch, _ in update.epochs]
        assert told == sorted(told)
        written[update.subject] |= set(told)


def test_a_thread_is_wanted_only_while_none_serves() -> None:
    backlog = Backlog()
    assert backlog.put([EpochsUpdate(SPECS[0])])
    assert not backlog.put([EpochsUpdate(SPECS[1])])
    assert len(backlog.left()) == 2
    backlog.close()
    assert not backlog.put([EpochsUpdate(SPECS[1])]), "news takes the closing back"
    assert not backlog.ends()
    backlog.close()
    assert backlog.ends()
    assert backlog.put([EpochsUpdate(SPECS[0])])
