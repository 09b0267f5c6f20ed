"""What very many records share (an unknown placeholder, a payee's number) joins nobody, and costs no message more than a bound."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.adt_event import Identifier
from app.domain.identity_plan import Frontier
from app.domain.matching import BLOCK_RECORDS_LIMIT
from app.domain.person import PatientRecord, demographic_key
from app.domain.shared_identifier import SHARED_IDENTIFIER_LIMIT
from app.store import people
from tests.actions.test_match_records import ANN, House, claim, mrn

MANY = 20_000
PAYEE = Identifier("PAYEES", "PI", "77")

_CROWD = """
with made as (
    insert into person (id, created_at) select gen_random_uuid(), now() from generate_series(1, $1::int) returning id
), numbered as (
    select id, row_number() over () as n from made
), records as (
    insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, match_reasons, updated_at)
    select id, 'adt', 'CROWD' || n, 'MR', 'x', id, '{}', $2::bigint, '[]', now() from numbered returning id
)
insert into record_identifier (authority, type, value, record_id) select $3, 'PI', $4, id from records
"""


class Counting:
    """Counts the records that are read as neighbours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        read = people.neighbours

        async def counted(raw: Any, wanted: Frontier, leaving: int = 0) -> list[PatientRecord]:
            found = await read(raw, wanted, leaving)
            self.most = max(self.most, len(found))
            return found

        monkeypatch.setattr(people, "neighbours", counted)


@pytest.fixture
def house(engine_work: AsyncEngine) -> House:
    return House(engine_work)


@pytest.mark.plans
async def test_a_number_and_demographics_of_20000_are_not_read_by_every_message(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    async with house.transaction() as raw:
        await raw.execute(_CROWD, MANY, demographic_key(ANN), PAYEE.authority, PAYEE.value)
        await raw.execute("analyze record_identifier, patient_record")
    await house.identify(claim("1", mrn("A", "1"), PAYEE, **ANN))
    await house.identify(claim("2", mrn("A", "1"), PAYEE, **{**ANN, "first_name": "Zebulon"}))
    assert frozenset({"A1"}) in await house.people()
    assert counting.most <= BLOCK_RECORDS_LIMIT + 2 + 4 * (SHARED_IDENTIFIER_LIMIT + 1)


async def joined(house: House) -> Sequence[int]:
    return sorted(map(len, await house.people()))


async def test_the_51st_record_of_one_number_parts_all_and_so_do_those_after_it(house: House) -> None:
    await house.identify(*(claim("1", mrn(f"H{number}", "1"), PAYEE) for number in range(SHARED_IDENTIFIER_LIMIT)))
    assert await joined(house) == [SHARED_IDENTIFIER_LIMIT]
    for more in range(1, 4):
        await house.identify(claim("1", mrn(f"M{more}", "1"), PAYEE))
        assert await joined(house) == [1] * (SHARED_IDENTIFIER_LIMIT + more)


async def test_records_that_leave_a_full_block_let_the_others_be_one_again(house: House) -> None:
    """Two hundred and one of one name, held together by their numbers as far as one can be, and one of them corrected."""
    shared = [Identifier(f"KIN{number}", "PI", "1") for number in range(5)]
    block = [claim("1", mrn(f"H{number}", "1"), shared[number % 5], **ANN) for number in range(BLOCK_RECORDS_LIMIT + 1)]
    await house.identify(*block)
    assert await joined(house) == [40, 40, 40, 40, 41]
    await house.identify(claim("2", mrn("H0", "1"), last_name="Quill"))
    assert await joined(house) == [BLOCK_RECORDS_LIMIT + 1]
