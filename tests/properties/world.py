"""A small network on a real database, and what became of it, told without ids: so that two runs can be compared.

Two hospitals, a behavioral health home and a plan. Messages go through the real door and the real rooms. Not here: which messages
(`messages`), in which order and how many workers (the tests).
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import count, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.actions.identify import IdentityMovedError, identify
from app.actions.load_panel import Upload, load_panel
from app.domain.adt_event import Identifier
from app.domain.encounter import EncounterState
from app.domain.inbound import AckCode, Door, Envelope
from app.domain.organization import Organization, OrganizationKind
from app.domain.panel import UploadMode
from app.domain.person import RecordClaim
from app.intake import Intake
from app.pipeline import BatchFailedError, Pipeline
from app.settings import Settings, load_settings
from app.store import encounters
from app.store.engine import make_engine
from app.store.failures import is_unavailable
from app.store.raw import Raw
from app.store.roles import Role
from tests.support.databases import Database
from tests.support.fakes import FakeClock
from tests.support.rosters import panel_services

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
ORGANIZATIONS = (
    ("Hospital A", "hospital"),
    ("Hospital B", "hospital"),
    ("Home H", "behavioral_health_home"),
    ("Home G", "behavioral_health_home"),
    ("Plan P", "plan"),
)
FEEDS = (("Hospital A", "EPIC", "HOSPA"), ("Hospital B", "CERNER", "HOSPB"))


class NoWaker:
    """Nobody waits for hints."""

    def wake(self, topic: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A line of a panel: an organization claims a person by these words."""

    organization: str
    medicaid: str | None = None
    first: str | None = None
    last: str | None = None
    born: str | None = None
    sex: str | None = None
    effective_from: date = date(2026, 1, 1)
    basis: str | None = None


@dataclass(slots=True)
class World:
    """A network in an empty database. `close` it in the loop in which it was opened."""

    database: Database
    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    ids: wiring.SystemIds = field(default_factory=wiring.SystemIds)
    organizations: dict[str, UUID] = field(default_factory=dict)
    defects: list[Exception] = field(default_factory=list)
    settings: Settings = field(init=False)
    keys: wiring.Keys = field(init=False)
    engines: list[AsyncEngine] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)
    _panels: AsyncEngine | None = None

    async def open(self) -> "World":
        """Make the organizations and their feeds."""
        self.settings = load_settings({"HANDOFF_DATA_DIR": str(self.folder), "HANDOFF_WORKERS": "3"})
        self.keys = wiring.keys_of(self.settings)
        async with wiring.open_transaction(self.engine())() as raw:
            await make_network(raw, self.organizations, self.ids, NOW)
        return self

    async def close(self) -> None:
        """Close every connection."""
        for engine in self.engines:
            await engine.dispose()

    def engine(self) -> AsyncEngine:
        """Open a pool of connections of its own, as a process has."""
        engine = make_engine(self.database.url, self.database.network, Role.WORK, name="properties")
        self.engines.append(engine)
        return engine

    def panels(self) -> AsyncEngine:
        """Give the connections over which all claims come: a new one for each claim costs more than what it asks."""
        if self._panels is None or self._panels not in self.engines:
            self._panels = self.engine()
        return self._panels

    def intake(self) -> Intake:
        """Build a door."""
        return wiring.build_intake(self.settings, self.engine(), self.keys, clock=self.clock, ids=self.ids, waker=NoWaker())

    def pipeline(self) -> Pipeline:
        """Build a worker's pipeline, with its own connections."""
        built = wiring.build_pipeline(self.settings, self.engine(), self.keys, RULES, clock=self.clock, ids=self.ids, waker=NoWaker())
        return replace(built, on_defect=self.defects.append)

    async def claim(self, claimed: Claimed) -> None:
        """Put a line on a panel: by a real upload where it names the person, else as an upload does.

        Find the person, add the claim, ask for their stays to be looked at again.
        """
        if claimed.first is not None:
            await self.upload(claimed)
            return
        organization = self.organizations[claimed.organization]
        facts = {"first_name": claimed.first, "last_name": claimed.last, "birth_date": claimed.born, "sex": claimed.sex}
        number = next(self.numbers)
        own = Identifier("", "MA", claimed.medicaid) if claimed.medicaid else Identifier("", "row", f"R{number}")
        stated = {name: value for name, value in facts.items() if value is not None}
        claim = RecordClaim(str(organization), own, (own,) if claimed.medicaid else (), f"roster.{number:06d}", stated)
        role = "plan" if claimed.organization.startswith("Plan") else "behavioral_health_home"
        transaction = wiring.open_transaction(self.panels())
        while True:
            try:
                async with transaction() as raw:
                    (resolved,) = await identify(raw, [claim], ids=self.ids, now=NOW)
                    await add_member(
                        raw, self.ids.new(), organization, resolved.record_id, role, claimed.effective_from, NOW, claimed.basis
                    )
                    stays = [row.id for row in await encounters.of_people(raw, [resolved.person_id])]
                    await encounters.reconsider(raw, stays, NOW, "panel")
                return  # noqa: TRY300 - the end of a loop
            except IdentityMovedError:
                continue
            except Exception as error:
                if not is_unavailable(error):
                    raise

    async def upload(self, claimed: Claimed) -> None:
        """Load a roster of one line onto a panel, as the door for rosters does."""
        kind = dict(ORGANIZATIONS)[claimed.organization]
        organization = Organization(self.organizations[claimed.organization], claimed.organization, OrganizationKind(kind), NOW)
        named = (claimed.first, claimed.last, claimed.born, claimed.sex, claimed.medicaid or "")
        columns = "first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,basis"
        row = ",".join([*(part or "" for part in named), "BHH", claimed.effective_from.isoformat(), claimed.basis or ""])
        services = panel_services(self.panels(), self.ids)
        while True:
            try:
                result = await load_panel(services, organization, f"{columns}\n{row}\n".encode(), Upload(UploadMode.DELTA), now=NOW)
            except IdentityMovedError:
                continue
            except Exception as error:
                if not is_unavailable(error):
                    raise
                continue
            assert (result.accepted, result.errors) == (1, ()), result
            return


RULES = wiring.rulebook()


async def make_network(raw: Raw, organizations: dict[str, UUID], ids: wiring.SystemIds, now: datetime) -> None:
    """Insert the organizations and feeds."""
    for name, kind in ORGANIZATIONS:
        organizations[name] = ids.new()
        await raw.execute(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
            " values ($1, $2, $3, '{}', 'not_program', 'unknown', 'America/New_York', 'US-ME', $4)",
            organizations[name], name, kind, now,
        )  # fmt: skip
    await raw.execute("insert into person_index (authority, marked_at) values ('EMPI', $1)", now)
    for name, application, facility in FEEDS:
        await raw.execute(
            "insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority, mode, profile,"
            " created_at) values ($1, $2, $3, $4, 'America/New_York', $4, 'live', '{}', $5)",
            ids.new(), organizations[name], application, facility, now,
        )  # fmt: skip


async def add_member(  # the columns of a claim
    raw: Raw, member: UUID, organization: UUID, record: UUID, role: str, since: date, now: datetime, basis: str | None = None
) -> None:
    """Insert a claim on whoever the record is now."""
    await raw.execute(
        "insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, row_key, row_hash, row,"
        " asserted_at) select $1, $2, r.id, r.person_id, 'BHH', $4, $5, $6, '', $8::json, $7 from patient_record r where r.id = $3",
        member, organization, record, role, since, member.bytes, now, orjson.dumps({"basis": basis} if basis else {}).decode(),
    )  # fmt: skip


async def send(intake: Intake, message: bytes) -> None:
    """Give a message to the door; it must take it."""
    received = await intake.receive(Envelope(message, Door.MLLP, NOW))
    assert received.answer.code is AckCode.AA, received.answer


async def work(pipeline: Pipeline, chance: random.Random, messages_max: int) -> bool:
    """Do one round as a worker does, and take the others' locks in its stride; tell whether there was anything to do."""
    try:
        worked = await pipeline.work_once(chance.randrange(64), chance.randint(1, messages_max))
        matched = await pipeline.match_once(chance.randint(1, messages_max))
        looked = await pipeline.reconsider_once(chance.randint(1, messages_max))
    except IdentityMovedError:
        return True
    except BatchFailedError:
        messages_max = 1
        return True
    except Exception as error:
        if not is_unavailable(error):
            raise
        await asyncio.sleep(0)
        return True
    return not (worked.idle and matched.idle and looked.idle)


async def is_drained(raw: Raw) -> bool:
    """Tell whether nothing waits."""
    return not await raw.fetchval(
        "select exists (select 1 from inbound_queue) or exists (select 1 from reconsideration) or exists (select 1 from match_pending)"
    )


async def drain(world: World, pipelines: Sequence[Pipeline], chance: random.Random, messages_max: int) -> None:
    """Work until nothing waits, all workers at once."""

    async def worker(pipeline: Pipeline) -> None:
        while True:
            while await work(pipeline, chance, messages_max):
                assert world.defects == []
            assert world.defects == []
            async with pipeline.transaction() as raw:
                if await is_drained(raw):
                    return
            await asyncio.sleep(0)

    await asyncio.gather(*(worker(pipeline) for pipeline in pipelines))
    assert world.defects == []


# What became of it, without ids.


async def truth(world: World, *, with_states: bool = True) -> dict[str, Any]:
    """Tell what a network came to: people, stays, follow-ups and what stands with each recipient."""
    async with wiring.open_transaction(world.engine())() as raw:
        names = {number: name for name, number in world.organizations.items()}
        people = await _people(raw, names)
        stays = await _stays(raw, names, people, with_states=with_states)
        return {
            "people": sorted(set(people.values())),
            "stays": dict(stays.values()),
            "follow_ups": await _follow_ups(raw, names, stays),
            "told": await _told(raw, names, people, stays),
        }


async def _people(raw: Raw, names: dict[UUID, str]) -> dict[UUID, str]:
    """Name each person by the records that are they."""
    records: dict[UUID, list[str]] = defaultdict(list)
    for row in await raw.fetch("select person_id, source, authority, type, value from patient_record"):
        source = "adt" if row["source"] == "adt" else names[UUID(row["source"])]
        value = row["value"] if row["type"] != "row" else "a row"
        records[row["person_id"]].append(f"{source}|{row['authority']}|{row['type']}|{value}")
    return {person: " = ".join(sorted(said)) for person, said in records.items()}


async def _stays(raw: Raw, names: dict[UUID, str], people: dict[UUID, str], *, with_states: bool) -> dict[UUID, tuple[str, Any]]:
    stays = {}
    for row in await raw.fetch(
        "select e.*, r.authority, r.type, r.value from encounter e join patient_record r on r.id = e.record_id where e.source = 'adt'"
    ):
        own = orjson.loads(row["own"]) if isinstance(row["own"], str) else row["own"]
        if own is not None and not row["last_key"] and not own["state"]["last_key"]:
            # A number that stood for a while, and of which no message speaks any more: an empty row that nobody was left told of.
            assert row["status"] == "unknown"
            assert not await raw.fetchval("select exists (select 1 from telling where encounter_id = $1 and effective)", row["id"])
            continue
        key = f"{names[row['facility_id']]} {row['visit_authority']} {row['visit_number']}"
        said: dict[str, Any] = {
            name: row[name]
            for name in ("status", "class", "admitted_at", "discharged_at", "discharged_on", "disposition", "mode", "behavioral_kind")
        }
        said |= {"provisional": row["provisional"], "person": people[row["person_id"]]}
        said["record"] = (row["authority"], row["type"], row["value"])
        if with_states:
            state = EncounterState.from_json(orjson.loads(row["state"]) if isinstance(row["state"], str) else row["state"])
            said["state"] = (
                sorted((key, name, repr(value)) for key, fields in state.said.items() for name, value in fields.items()),
                state.marks,
                state.diagnoses,
                state.last_key,
                state.dead_since,
            )
        stays[row["id"]] = (key, said)
    return stays


async def _follow_ups(raw: Raw, names: dict[UUID, str], stays: dict[UUID, tuple[str, Any]]) -> dict[str, Any]:
    """A void follow-up is one that never should have been: it is kept for its contacts, and another order never opens it."""
    kept = {}
    for row in await raw.fetch("select * from follow_up where state <> 'void'"):
        clocks = orjson.loads(row["clocks"]) if isinstance(row["clocks"], str) else row["clocks"]
        if not clocks and row["home_id"] is not None:
            continue
        key = f"{stays[row['encounter_id']][0]} for {names.get(row['home_id'], 'nobody')}"
        kept[key] = (row["state"], row["anchor_at"], row["anchor_on"], sorted(row["programs"]), row["next_due_at"])
        kept[key] += (sorted((clock["id"], clock["due_at"], clock["state"]) for clock in clocks),)
        # The person of a follow-up is that of its stay.
        assert row["person_id"] == await raw.fetchval("select person_id from encounter where id = $1", row["encounter_id"]), key
    return kept


async def _told(raw: Raw, names: dict[UUID, str], people: dict[UUID, str], stays: dict[UUID, tuple[str, Any]]) -> dict[str, Any]:
    """Give what stands with each recipient, and hold what every outbox promises."""
    rows = await raw.fetch("select * from notification order by recipient_id, sequence")
    sequences: dict[UUID, list[int]] = defaultdict(list)
    chains: dict[tuple[UUID, UUID], list[Any]] = defaultdict(list)
    for row in rows:
        sequences[row["recipient_id"]].append(row["sequence"])
        if row["type"] != "follow_up.overdue":
            chains[(row["recipient_id"], row["event_id"])].append(row)
    for numbers in sequences.values():
        assert numbers == list(range(1, len(numbers) + 1)), "a gap in a recipient's sequence"
    for chain in chains.values():
        assert [row["version"] for row in chain] == list(range(1, len(chain) + 1))
        assert chain[0]["supersedes"] is None
        assert all(after["supersedes"] == before["id"] for before, after in pairwise(chain)), "a broken chain of versions"
    by_id = {row["id"]: row for row in rows}
    standing = {}
    for telling in await raw.fetch("select * from telling where effective"):
        row = by_id[telling["notification_id"]]
        assert chains[(row["recipient_id"], row["event_id"])][-1]["id"] == row["id"], "an older version stands"
        payload = orjson.loads(row["payload"]) if isinstance(row["payload"], str) else row["payload"]
        key = f"{names[telling['recipient_id']]}: {telling['kind']} of {stays[telling['encounter_id']][0]}"
        encounter = payload["encounter"]
        told = [row["occurred_at"], row["tier"], encounter.get("class"), people[row["person_id"]], payload["attribution"]["lead"]]
        if telling["kind"] == "discharged":
            told += [encounter.get("disposition"), sorted(item["code"] for item in encounter.get("diagnoses", ()) if item["use"] == "F")]
        standing[key] = told
    return standing


async def outcomes(world: World) -> Counter[str]:
    """Count what became of the messages."""
    async with wiring.open_transaction(world.engine())() as raw:
        return Counter(
            {
                row["outcome"]: row["messages"]
                for row in await raw.fetch("select outcome, count(*) as messages from inbound_outcome group by 1")
            }
        )
