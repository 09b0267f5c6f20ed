"""A stay as a fold: the same events give the same stay in any order and however often they come; and what each event does to it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.adt_event import AdtEvent, DiagnosisAction, DiagnosisUse, EncounterClass
from app.domain.encounter import EncounterState, EncounterStatus, EncounterView, view
from app.domain.known import ERASED
from tests.domain.event_builders import EMERGENCY, INPATIENT, OUTPATIENT, PREADMIT, at, diagnosis, event, fold, seen

TRIGGERS = ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13")
CLASSES = st.sampled_from([None, ERASED, INPATIENT, EMERGENCY, OUTPATIENT, PREADMIT, EncounterClass.OBSERVATION])
HOURS = st.sampled_from([0, 1, 1, 2, 3, 5])
"""Few, so that times are often equal."""


@st.composite
def events(draw: st.DrawFn) -> AdtEvent:
    occurred = draw(HOURS)
    codes = st.builds(
        diagnosis,
        st.sampled_from(["F32.2", "F10.20", "I10"]),
        st.sampled_from(list(DiagnosisUse)),
        st.sampled_from([DiagnosisAction.SNAPSHOT, DiagnosisAction.SNAPSHOT, *DiagnosisAction]),
        st.sampled_from([None, 0, 1]),
    )
    return event(
        draw(st.sampled_from(TRIGGERS)),
        occurred,
        recorded=draw(st.one_of(st.none(), HOURS)),
        sent=draw(st.one_of(st.none(), HOURS)),
        of_class=draw(CLASSES),
        admitted=draw(st.sampled_from([None, None, ERASED, at(0), at(1)])),
        discharged=draw(st.sampled_from([None, None, ERASED, at(1), at(3)])),
        disposition=draw(st.sampled_from([None, ERASED, "01", "20", "65"])),
        unit=draw(st.sampled_from([None, ERASED, "PSY", "MED"])),
        diagnoses=draw(st.lists(codes, max_size=3)),
        erased=draw(st.sampled_from([frozenset(), frozenset({DiagnosisUse.FINAL})])),
        deceased=draw(st.sampled_from([None, None, ERASED, True, False])),
        died=draw(st.sampled_from([None, None, ERASED, at(2)])),
        copy=draw(st.integers(0, 1)),
    )


def canonical(state: EncounterState) -> tuple[object, ...]:
    """The state without the order in which its dictionaries were filled."""
    said = {(name, key, repr(value)) for key, fields in state.said.items() for name, value in fields.items()}
    return said, state.marks, state.diagnoses, state.last_key, state.dead_since


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), min_size=1, max_size=7), st.data())
def test_any_order_and_repetition_gives_the_same_state_and_the_same_stay(messages: list[AdtEvent], data: st.DataObject) -> None:
    arrivals = data.draw(st.permutations([*messages, *data.draw(st.lists(st.sampled_from(messages), max_size=4))]))
    one, other = fold(messages), fold(arrivals)
    assert canonical(one) == canonical(other)
    assert view(one) == view(other)


@given(st.lists(events(), min_size=1, max_size=6))
def test_a_stay_makes_sense_whatever_is_sent(messages: list[AdtEvent]) -> None:
    stay = seen(*messages)
    assert (stay.status is EncounterStatus.FINISHED) == (stay.discharged_at is not None)
    assert stay.disposition is None or stay.discharged_at is not None
    assert stay.cancelled_discharge_at is None or stay.discharged_at is None
    assert not stay.inferred_discharge or stay.discharged_at is not None
    assert [phase.starts_at for phase in stay.phases] == sorted(phase.starts_at for phase in stay.phases)
    assert not stay.phases or stay.phases[-1].encounter_class == stay.encounter_class
    if stay.status is EncounterStatus.CANCELLED:
        assert not stay.phases
        assert any(one.trigger == "A11" for one in messages)
    states_its_end = any(one.visit and one.visit.admitted_at and one.visit.discharged_at for one in messages)
    if not any(one.trigger in ("A03", "A08", "A02") for one in messages) and not states_its_end:
        assert stay.discharged_at is None


@given(st.lists(events(), max_size=5), st.sampled_from(["A08", "A12"]), HOURS)
def test_an_update_without_an_end_neither_opens_nor_ends_a_stay(messages: list[AdtEvent], trigger: str, hour: int) -> None:
    """C.6, A08: never opens or closes a stay by itself."""
    before, after = seen(*messages), seen(*messages, event(trigger, hour))
    assert (after.discharged_at, len(after.phases)) == (before.discharged_at, len(before.phases)) or trigger == "A12"
    if not messages:
        assert after.status in (EncounterStatus.UNKNOWN, EncounterStatus.IN_PROGRESS)


def test_all_720_orders_of_a_stay_with_its_cancels_and_a_merge_end_the_same() -> None:
    """R8, as far as a stay goes: the merge says nothing of the stay but whose it is."""
    messages = [
        event("A01", 0, of_class=INPATIENT, unit="PSY"),
        event("A08", 1, of_class=INPATIENT, diagnoses=[diagnosis("F32.2", DiagnosisUse.WORKING)]),
        event("A03", 2, of_class=INPATIENT, disposition="01"),
        event("A13", 3, of_class=INPATIENT),
        event("A11", 4, of_class=INPATIENT),
        event("A40", 5, mrn="M2"),
    ]
    stay = seen(*messages[:5])
    assert stay.status is EncounterStatus.CANCELLED
    assert all(seen(*(one for one in order if one.trigger != "A40")) == stay for order in permutations(messages))


# What each event does: standards C.6 and domain section 5. Hours after START; every row is checked in every order.

ADMITTED = event("A01", 0, of_class=INPATIENT)
REGISTERED = event("A04", 0, of_class=EMERGENCY)
DISCHARGED = event("A03", 10, of_class=INPATIENT, disposition="01")
UNDISCHARGED = event("A13", 11, of_class=INPATIENT)

Row = tuple[str, Sequence[AdtEvent], EncounterStatus, EncounterClass, Sequence[tuple[EncounterClass, float]], float | None, str | None]
IN_PROGRESS, FINISHED, CANCELLED, PLANNED, UNKNOWN = (
    EncounterStatus.IN_PROGRESS,
    EncounterStatus.FINISHED,
    EncounterStatus.CANCELLED,
    EncounterStatus.PLANNED,
    EncounterStatus.UNKNOWN,
)

TABLE: list[Row] = [
    ("A01 without a class is an admission", [event("A01", 0)], IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None),
    (
        "A01 of a class that nobody knows stays of that class",
        [event("A01", 0, of_class=EncounterClass.UNKNOWN)],
        IN_PROGRESS, EncounterClass.UNKNOWN, [(EncounterClass.UNKNOWN, 0)], None, None,
    ),
    (
        "a class that nobody knows takes nothing from the one that was known, whoever says it later",
        [
            ADMITTED,
            event("A02", 2, of_class=EncounterClass.UNKNOWN),
            event("A08", 5, of_class=EncounterClass.UNKNOWN),
            event("A03", 10, of_class=EncounterClass.UNKNOWN, disposition="01"),
        ],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 10, "01",
    ),
    (
        "and is corrected by the next one that is known",
        [event("A04", 0, of_class=EncounterClass.UNKNOWN), event("A08", 1, of_class=EMERGENCY)],
        IN_PROGRESS, EMERGENCY, [(EMERGENCY, 0)], None, None,
    ),
    ("A04 without a class is a visit of no known class", [event("A04", 0)],
     IN_PROGRESS, EncounterClass.UNKNOWN, [(EncounterClass.UNKNOWN, 0)], None, None),
    ("A01 opens", [ADMITTED], IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None),
    ("A04 of class E is an emergency visit under way", [REGISTERED], IN_PROGRESS, EMERGENCY, [(EMERGENCY, 0)], None, None),
    ("A05 plans", [event("A05", 0, of_class=PREADMIT)], PLANNED, PREADMIT, [], None, None),
    ("A05 of class I plans too", [event("A05", 0, of_class=INPATIENT)], PLANNED, INPATIENT, [], None, None),
    (
        "A01 after A05 begins",
        [event("A05", 0, of_class=PREADMIT), event("A01", 5, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 5)], None, None,
    ),
    (
        "A02 in the house is one stay",
        [ADMITTED, event("A02", 3, of_class=INPATIENT, unit="MED")],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
    (
        "A02 from the emergency department into the house begins a phase (DV-7)",
        [REGISTERED, event("A02", 3, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 3)], None, None,
    ),
    (
        "A12 undoes it",
        [REGISTERED, event("A02", 3, of_class=INPATIENT), event("A12", 4, of_class=EMERGENCY)],
        IN_PROGRESS, EMERGENCY, [(EMERGENCY, 0)], None, None,
    ),
    (
        "A12 undoes the last transfer only",
        [REGISTERED, event("A02", 3, of_class=INPATIENT), event("A02", 5, of_class=INPATIENT), event("A12", 6, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 3)], None, None,
    ),
    ("A02 alone is under way", [event("A02", 3, of_class=INPATIENT)], IN_PROGRESS, INPATIENT, [], None, None),
    ("A03 ends", [ADMITTED, DISCHARGED], FINISHED, INPATIENT, [(INPATIENT, 0)], 10, "01"),
    ("A03 alone ends", [DISCHARGED], FINISHED, INPATIENT, [], 10, "01"),
    (
        "PV1-45 says when",
        [ADMITTED, event("A03", 10, of_class=INPATIENT, discharged=at(9), disposition="01")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 9, "01",
    ),
    (
        "a repeated A03 with a later time counts",
        [ADMITTED, DISCHARGED, event("A03", 12, of_class=INPATIENT, disposition="06")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 12, "06",
    ),
    (
        "A06 makes an inpatient of an emergency patient",
        [REGISTERED, event("A06", 4)],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 4)], None, None,
    ),
    (
        "A01 after an emergency visit does too",
        [REGISTERED, event("A01", 4, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 4)], None, None,
    ),
    (
        "A01 after the emergency discharge opens the stay again",
        [REGISTERED, event("A03", 3, of_class=EMERGENCY, disposition="09"), event("A01", 4, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 4)], None, None,
    ),
    (
        "an update that repeats the end of the emergency visit does not end the stay",
        [
            REGISTERED,
            event("A03", 3, of_class=EMERGENCY, disposition="09"),
            event("A01", 4, of_class=INPATIENT),
            event("A08", 5, of_class=INPATIENT, discharged=at(3)),
        ],
        IN_PROGRESS, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 4)], None, None,
    ),
    (
        "the disposition of the emergency visit is not that of the stay",
        [
            REGISTERED,
            event("A03", 3, of_class=EMERGENCY, disposition="09"),
            event("A01", 4, of_class=INPATIENT),
            event("A03", 90, of_class=INPATIENT),
        ],
        FINISHED, INPATIENT, [(EMERGENCY, 0), (INPATIENT, 4)], 90, None,
    ),
    ("A07 makes an outpatient", [ADMITTED, event("A07", 4)], IN_PROGRESS, OUTPATIENT, [(INPATIENT, 0), (OUTPATIENT, 4)], None, None),
    ("A08 alone neither opens nor closes", [event("A08", 4, of_class=INPATIENT)], UNKNOWN, INPATIENT, [], None, None),
    (
        "A08 corrects the class",
        [event("A01", 0, of_class=OUTPATIENT), event("A08", 4, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
    (
        "A08 with PV1-45 is an inferred discharge",
        [ADMITTED, event("A08", 12, of_class=INPATIENT, discharged=at(10), disposition="01")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 10, "01",
    ),
    (
        "A08 corrects time and disposition of a discharge",
        [ADMITTED, DISCHARGED, event("A08", 12, of_class=INPATIENT, discharged=at(9), disposition="65")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 9, "65",
    ),
    ("A11 cancels the stay", [ADMITTED, event("A11", 4, of_class=INPATIENT)], CANCELLED, INPATIENT, [], None, None),
    ("A11 alone cancels", [event("A11", 4, of_class=INPATIENT)], CANCELLED, EncounterClass.UNKNOWN, [], None, None),
    (
        "A11 after the discharge voids both",
        [ADMITTED, DISCHARGED, event("A11", 12, of_class=INPATIENT)],
        CANCELLED, INPATIENT, [], None, None,
    ),
    (
        "an admission sent twice is cancelled as one",
        [ADMITTED, event("A01", 0, of_class=INPATIENT, sent=0.1, copy=1), event("A11", 4, of_class=INPATIENT)],
        CANCELLED, INPATIENT, [], None, None,
    ),
    (
        "an admission entered again after its cancel stands",
        [ADMITTED, event("A11", 4, of_class=INPATIENT), event("A01", 0, recorded=5, of_class=INPATIENT)],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
    (
        "A11 after an emergency visit restores the visit",
        [REGISTERED, event("A01", 4, of_class=INPATIENT), event("A11", 5, of_class=INPATIENT)],
        IN_PROGRESS, EMERGENCY, [(EMERGENCY, 0)], None, None,
    ),
    (
        "A11 after an emergency visit that had ended restores its end",
        [
            REGISTERED,
            event("A03", 3, of_class=EMERGENCY, disposition="01"),
            event("A01", 4, of_class=INPATIENT),
            event("A11", 5, of_class=INPATIENT),
        ],
        FINISHED, EMERGENCY, [(EMERGENCY, 0)], 3, "01",
    ),
    (
        "a second A11 cancels the visit too",
        [REGISTERED, event("A01", 4, of_class=INPATIENT), event("A11", 5), event("A11", 6)],
        CANCELLED, INPATIENT, [], None, None,
    ),
    (
        "the same A11 sent twice cancels once",
        [REGISTERED, event("A01", 4, of_class=INPATIENT), event("A11", 5), event("A11", 5, copy=1)],
        IN_PROGRESS, EMERGENCY, [(EMERGENCY, 0)], None, None,
    ),
    (
        "A13 takes the discharge and its disposition back",
        [ADMITTED, DISCHARGED, UNDISCHARGED],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
    ("A13 older than the A03 does nothing", [ADMITTED, event("A13", 9), DISCHARGED], FINISHED, INPATIENT, [(INPATIENT, 0)], 10, "01"),
    (
        "A03 after A13 ends anew",
        [ADMITTED, DISCHARGED, UNDISCHARGED, event("A03", 20, of_class=INPATIENT, disposition="06")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 20, "06",
    ),
    (
        "A03 entered again with its old time after A13 stands, with its disposition",
        [ADMITTED, DISCHARGED, UNDISCHARGED, event("A03", 10, recorded=12, of_class=INPATIENT, disposition="65")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 10, "65",
    ),
    (
        "A03 entered again with an earlier time after A13 has its own disposition",
        [ADMITTED, DISCHARGED, UNDISCHARGED, event("A03", 8, recorded=12, of_class=INPATIENT, disposition="65")],
        FINISHED, INPATIENT, [(INPATIENT, 0)], 8, "65",
    ),
    (
        "A08 that repeats the cancelled time does not discharge",
        [ADMITTED, DISCHARGED, UNDISCHARGED, event("A08", 12, of_class=INPATIENT, discharged=at(10))],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
    (
        "one A13 strikes every discharge before it",
        [ADMITTED, DISCHARGED, event("A03", 10, of_class=INPATIENT, sent=10.5, copy=1), UNDISCHARGED],
        IN_PROGRESS, INPATIENT, [(INPATIENT, 0)], None, None,
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_what_each_event_does(row: Row) -> None:
    _, messages, status, encounter_class, phases, discharged, disposition = row
    for order in permutations(messages):
        stay = seen(*order)
        assert (stay.status, stay.encounter_class) == (status, encounter_class)
        assert [(phase.encounter_class, phase.starts_at) for phase in stay.phases] == [(one, at(hour)) for one, hour in phases]
        assert (stay.discharged_at, stay.disposition) == (None if discharged is None else at(discharged), disposition)


def test_a_cancelled_discharge_is_remembered_until_another_stands() -> None:
    assert seen(ADMITTED, DISCHARGED, UNDISCHARGED).cancelled_discharge_at == at(10)
    assert seen(ADMITTED, DISCHARGED, UNDISCHARGED, event("A03", 20)).cancelled_discharge_at is None


def test_an_inferred_discharge_is_labelled_until_the_hospital_says_it() -> None:
    update = event("A08", 12, discharged=at(10))
    assert seen(ADMITTED, update).inferred_discharge
    assert not seen(ADMITTED, update, DISCHARGED).inferred_discharge


def test_admission_time_is_pv1_44_else_the_first_event() -> None:
    assert seen(ADMITTED).admitted_at == at(0)
    assert seen(ADMITTED, event("A08", 5, admitted=at(-1))).admitted_at == at(-1)
    assert seen(event("A01", 0, admitted=at(-1)), event("A08", 5, admitted=ERASED)).admitted_at == at(0)
    assert seen(event("A08", 5)).admitted_at is None


Deaths = tuple[Sequence[AdtEvent], datetime | None]
DEATHS: list[Deaths] = [
    ([ADMITTED], None),
    ([ADMITTED, event("A08", 5, deceased=True)], at(5)),
    ([ADMITTED, event("A08", 5, deceased=True), event("A03", 8, deceased=True), event("A08", 90, deceased=True)], at(5)),
    ([ADMITTED, event("A08", 5, deceased=True, died=at(4)), event("A08", 90, deceased=True)], at(4)),
    ([ADMITTED, event("A08", 5, deceased=True), event("A08", 6, deceased=False)], None),
    ([ADMITTED, event("A08", 5, deceased=True, died=at(4)), event("A08", 6, deceased=ERASED)], None),
]


@pytest.mark.parametrize("row", DEATHS)
def test_a_death_is_dated_by_pid_29_else_by_the_first_word_of_it_and_can_be_taken_back(row: Deaths) -> None:
    messages, died_at = row
    assert {seen(*order).deceased_at for order in permutations(messages)} == {died_at}


A, W, F = DiagnosisUse.ADMITTING, DiagnosisUse.WORKING, DiagnosisUse.FINAL
ADD, DELETE, CHANGE = DiagnosisAction.ADD, DiagnosisAction.DELETE, DiagnosisAction.UPDATE
Diagnoses = tuple[str, Sequence[AdtEvent], Sequence[tuple[str, str, int | None]]]
DIAGNOSES: list[Diagnoses] = [
    (
        "a snapshot replaces the set of its use",
        [event("A01", 0, diagnoses=[diagnosis("F32.2", A), diagnosis("I10", A)]), event("A08", 1, diagnoses=[diagnosis("F33.1", A)])],
        [("F33.1", "A", None)],
    ),
    (
        "and leaves the other uses",
        [event("A01", 0, diagnoses=[diagnosis("F32.2", A)]), event("A03", 1, diagnoses=[diagnosis("F33.1", F)])],
        [("F32.2", "A", None), ("F33.1", "F", None)],
    ),
    (
        "no DG1 is no news",
        [event("A01", 0, diagnoses=[diagnosis("F32.2", A)]), event("A08", 1)],
        [("F32.2", "A", None)],
    ),
    (
        "an erased set is empty, and an older message does not fill it",
        [event("A01", 0, diagnoses=[diagnosis("F32.2", F)]), event("A08", 1, erased=frozenset({F}))],
        [],
    ),
    (
        "an action adds, changes and deletes one",
        [
            event("A01", 0, diagnoses=[diagnosis("F32.2", W), diagnosis("I10", W)]),
            event("A08", 1, diagnoses=[diagnosis("F10.20", W, ADD, 2)]),
            event("A08", 2, diagnoses=[diagnosis("F10.20", W, CHANGE, 1), diagnosis("I10", W, DELETE)]),
        ],
        [("F10.20", "W", 1), ("F32.2", "W", None)],
    ),
    (
        "a later snapshot ends earlier actions",
        [event("A08", 1, diagnoses=[diagnosis("F10.20", W, ADD)]), event("A08", 2, diagnoses=[diagnosis("I10", W)])],
        [("I10", "W", None)],
    ),
    (
        "one message may replace a diagnosis by itself: its actions count in its order",
        [event("A08", 1, diagnoses=[diagnosis("I10", W, ADD, None), diagnosis("I10", W, DELETE), diagnosis("I10", W, ADD, 1)])],
        [("I10", "W", 1)],
    ),
]


@pytest.mark.parametrize("row", DIAGNOSES, ids=[row[0] for row in DIAGNOSES])
def test_what_diagnoses_stand(row: Diagnoses) -> None:
    """ADT-2: DG1-6 names the set, DG1-21 what happens to one."""
    _, messages, standing = row
    for order in permutations(messages):
        assert sorted((item.code, item.use, item.rank) for item in seen(*order).diagnoses) == sorted(standing)


def test_the_stored_form_is_json_and_reads_back() -> None:
    state = fold([ADMITTED, event("A08", 5, deceased=True, unit=ERASED, diagnoses=[diagnosis("F32.2")]), DISCHARGED])
    assert EncounterState.from_json(state.to_json()) == state
    assert "dead_since" not in fold([ADMITTED]).to_json()


def test_a_long_stay_of_updates_has_a_small_state() -> None:
    """Decision 0001: an update costs no mark, and only its last words are kept."""
    messages = [ADMITTED, *(event("A08", hour, of_class=INPATIENT, unit="PSY") for hour in range(1, 500))]
    state = fold(messages)
    assert len(state.marks) == 1
    assert len(state.said) <= 2


def test_an_untouched_stay_is_nothing() -> None:
    assert view(EncounterState()) == EncounterView(UNKNOWN, EncounterClass.UNKNOWN, (), None, None, None, False, (), {}, None)
