"""Claims and contacts in any order end in the same statuses, by contacts, by claims and by both: the real doors on a real database.

Everybody has the same stay and a twin of whom the same is said in another order and in another form (FHIR, CSV): versions of claims,
reversals, denials, chains of replacements by another number and their voids, repetitions, contacts and their being taken back. What must
come out is worked out beside it, slowly, from the facts alone. `TEST_PROPERTIES=deep` draws dozens instead of a few.
"""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api.world import World, exchange, load_panel
from tests.properties.test_any_order import DEEP
from tests.support.claims import CARIN, Line, as_csv, benefit, coded
from tests.support.messages import adt

PAIRS = 60 if DEEP else 6
LEFT = date(2026, 3, 6)
DAYS = (0, 1, 3, 7, 8, 20, 30, 31)
VISIT = {"type": "in_person_office", "outcome": "attended", "with": "patient", "role": "clinician", "visit_codes": ["90834"],
         "diagnoses": ["F32.2"], "place_of_service": "11"}  # fmt: skip
CALL = {"type": "phone", "outcome": "reached", "with": "patient", "role": "coordinator", "live_two_way": True}
SOURCES = {"contacts": "by_contacts", "claims": "by_claims", "combined": None}
Days = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """One version of a claim of one line: paid, denied, reversed, or void: a claim of its own that only takes `prior` back.

    `prior` is the number of the claim that it replaces.
    """

    number: int
    adjustment: int
    day: int
    what: str = "paid"
    prior: int | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Something that the home did; `undone` is the taking back of it, which comes after."""

    number: int
    day: int
    is_visit: bool
    undone: bool = False


Fact = Claim | Contact


def drawn(dice: random.Random) -> list[Fact]:
    """Draw what is said of one person."""
    facts: list[Fact] = []
    for number in range(dice.randint(1, 3)):
        whats = dice.choices(("paid", "denied", "reversed"), (5, 1, 2), k=dice.randint(1, 3))
        facts += [Claim(number, adjustment, dice.choice(DAYS), what) for adjustment, what in enumerate(whats)]
    for number in range(7, 7 + dice.choice((0, 0, 1, 2, 3))):
        facts.append(Claim(number, 0, dice.choice(DAYS), prior=0 if number == 7 else number - 1))
    if dice.random() < 0.3:
        facts.append(Claim(20, 0, 0, "void", prior=dice.choice([one.number for one in facts if isinstance(one, Claim)])))
    for number in range(dice.randint(0, 2)):
        contact = Contact(number, dice.choice(DAYS), dice.random() < 0.7)
        facts += [contact, Contact(number, contact.day, contact.is_visit, undone=True)] if dice.random() < 0.3 else [contact]
    return facts


def shuffled(facts: Sequence[Fact], dice: random.Random) -> list[Fact]:
    """Give them in another order, claims now and then twice; what is taken back was said before."""
    again = [one for one in facts if isinstance(one, Claim) and dice.random() < 0.3]
    order = dice.sample([*facts, *again], len(facts) + len(again))
    return [
        *(one for one in order if isinstance(one, Claim) or not one.undone),
        *(one for one in order if isinstance(one, Contact) and one.undone),
    ]


def expected(facts: Sequence[Fact]) -> dict[str, Days]:
    """Work out the statuses from the facts alone."""
    claims = [one for one in facts if isinstance(one, Claim)]
    replaced = {one.prior for one in claims}
    last = {one.number: max(other.adjustment for other in claims if other.number == one.number) for one in claims}
    paid = [one.day for one in claims if one.what == "paid" and one.adjustment == last[one.number] and one.number not in replaced]
    undone = {one.number for one in facts if isinstance(one, Contact) and one.undone}
    seen = [one.day for one in facts if isinstance(one, Contact) and one.is_visit and one.number not in undone]
    said = {"contacts": seen, "claims": paid, "combined": [*seen, *paid]}
    return {source: _windows(days) for source, days in said.items()}


def _windows(days: Sequence[int]) -> Days:
    seven, thirty = ("met" if any(1 <= day <= until for day in days) else "not_met" for until in (7, 30))
    return seven, thirty


@pytest.fixture
async def world(engine_work: AsyncEngine, engine_app: AsyncEngine) -> AsyncIterator[World]:
    async with exchange(engine_work, engine_app) as made:
        yield made


async def people_of(world: World, count: int) -> None:
    """Give everybody the same stay, and put the clock past day 31."""
    head = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from"
    for who, system in (("home", "HOMEB"), ("plan", "PLANC")):
        rows = [f"C{number},{system},Ann,{_name(number)},1980-01-02,F,MX{number},BHH,2026-01-01" for number in range(count)]
        await load_panel(world, who, "\n".join([head, *rows]) + "\n")
    world.stage.clock.set(datetime(2026, 5, 1, 12, tzinfo=UTC))
    for number in range(count):
        said = {"mrn": f"M{number}", "name": f"{_name(number)}^Ann", "medicaid": f"MX{number}", "visit": f"V{number}"}
        stay = {"admitted": "20260302100000-0500", "discharged": "20260306142500-0500", "disposition": "01", "diagnoses": (("F32.2", "F"),)}
        await world.send(adt("A03", "20260306143000-0500", control=f"X{number}", **said, **stay))


def _name(number: int) -> str:
    return "Zz" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")


def cells_of(one: Claim, person: int) -> Line:
    """Write a version of a claim as the cells of a row."""
    line = {"member_id": f"C{person}", "claim_id": f"P{person}-{one.number}", "adjustment": str(one.adjustment), "claim_line": "1",
            "service_date": str(LEFT + timedelta(days=one.day)), "procedure_code": "90834", "diagnosis_1": "F32.2",
            "place_of_service": "11", "claim_type": one.what, "original_claim_id": ""}  # fmt: skip
    if one.what == "paid" and (one.adjustment or one.prior is not None):
        line["claim_type"] = "7"
    if one.what in ("reversed", "void"):
        line |= {"claim_line": "", "service_date": "", "claim_type": "8"}
    if one.prior is not None:
        line["original_claim_id"] = f"P{person}-{one.prior}"
    return line


def written(one: Claim, person: int) -> bytes:
    """Write a version of a claim as FHIR."""
    said = cells_of(one, person)
    more: dict[str, Any] = {"status": "cancelled"} if one.what in ("reversed", "void") else {}
    if one.prior is not None:
        more["related"] = [{"relationship": coded("prior", CARIN), "reference": {"value": said["original_claim_id"]}}]
    return orjson.dumps(benefit([{**said, "claim_type": one.what}], **more)) + b"\n"


async def test_any_order_of_claims_and_contacts_ends_in_the_same_statuses(world: World) -> None:
    dice = random.Random(20260306)
    facts = [drawn(dice) for _ in range(PAIRS)]
    orders = [shuffled(facts[number // 2], dice) for number in range(2 * PAIRS)]
    await people_of(world, len(orders))
    follow_ups = await _follow_ups(world, "home")
    made: dict[tuple[int, int], str] = {}
    for step in range(max(map(len, orders))):
        resources, rows = b"", []
        for person, order in enumerate(orders):
            one = order[step] if step < len(order) else None
            if isinstance(one, Claim) and dice.random() < 0.5:
                resources += written(one, person)
            elif isinstance(one, Claim):
                rows.append(cells_of(one, person))
            elif one is not None:
                await _contact(world, follow_ups[_name(person)]["id"], person, one, made)
        for kind, file in (("application/fhir+ndjson", resources), ("text/csv", as_csv(rows) if rows else b"")):
            if not file:
                continue
            answer = await world.api.post("/v1/services/uploads", world.keys["plan"], content=file, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["rejected"]) == (201, 0), answer.text
        if dice.random() < 0.5:
            await world.stage.settle()
    await world.stage.settle()
    shown = await _follow_ups(world, "plan")
    met = set()
    for person, order in enumerate(orders):
        (fuh,) = [one for one in shown[_name(person)]["measures"] if one["measure"] == "FUH"]
        found = {source: _said(fuh, part) for source, part in SOURCES.items()}
        assert found == expected(facts[person // 2]), (person, order)
        met.add(tuple(found.values()))
    assert len(met) > 3, "the histories differ"


def _said(status: dict[str, Any], part: str | None) -> Days:
    of = status if part is None else status[part]
    return of["status_7"], of["status_30"]


async def _follow_ups(world: World, who: str) -> dict[str, dict[str, Any]]:
    page = await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200, params={"limit": 1000})
    return {one["person"]["last_name"]: one for one in page["items"]}


async def _contact(world: World, follow_up: str, person: int, one: Contact, made: dict[tuple[int, int], str]) -> None:
    key = (person, one.number)
    if one.undone:
        await world.api.json(
            "POST", f"/v1/contacts/{made[key]}/void", world.keys["home"], 200, json={"reason": "entered for somebody else"}
        )
        return
    # On the day of the discharge, in the afternoon after it.
    body = {"occurred_at": f"{LEFT + timedelta(days=one.day)}T17:00:00-05:00", **(VISIT if one.is_visit else CALL)}
    recorded = await world.api.json("POST", f"/v1/follow-ups/{follow_up}/contacts", world.keys["home"], 201, json=body)
    made[key] = recorded["id"]
