"""A number that changes and changes back leaves everybody who they were (C.6: A46, A47), whatever was merged and moved when."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.adt_event import Identifier
from app.domain.matching import Division, divide
from app.domain.person import RENAMED_TO, RETIRED_INTO, PatientRecord
from tests.domain.event_builders import record

NUMBERS = range(1, 6)
OTHER = 9
INSTANTS = st.integers(0, 20)
MERGES = st.dictionaries(st.sampled_from(NUMBERS), st.tuples(INSTANTS, st.sampled_from(NUMBERS)))


def renamed(one: PatientRecord, instant: int, other: int) -> PatientRecord:
    now = UUID(int=other)
    return replace(one, said=one.said | {f"{instant:02d}r": {RENAMED_TO: str(now)}}, renamed_to=now)


def of_everybody_else(division: Division) -> tuple[set[frozenset[int]], list[tuple[int, int, str]]]:
    people = {frozenset(one.int for one in group.records) - {OTHER} for group in division.groups}
    return people, [(asked.left.int, asked.right.int, asked.kind) for asked in division.questions]


@given(MERGES, st.sampled_from(NUMBERS), INSTANTS, INSTANTS)
def test_another_number_for_a_while_changes_nobody_and_asks_nothing(
    merges: dict[int, tuple[int, int]], changing: int, there: int, back: int
) -> None:
    records = {}
    for number in (*NUMBERS, OTHER):
        instant, winner = merges.get(number, (0, number))
        one = record(number, Identifier("A", "MR", str(number)), retired_into=winner if number in merges else None)
        records[number] = replace(one, said={f"{instant:02d}": {RETIRED_INTO: str(one.retired_into)}} if number in merges else {})
    before = divide([one for number, one in records.items() if number != OTHER])
    records[changing] = renamed(records[changing], there, OTHER)
    records[OTHER] = renamed(records[OTHER], back, changing)
    after = divide(list(records.values()))
    assert of_everybody_else(after) == of_everybody_else(before)
    assert next(OTHER in {one.int for one in group.records} for group in after.groups if UUID(int=changing) in group.records)
