"""What waits for a person, by command: queues, reviews, and follow-ups on their way to another home. On a real database."""

import asyncio
from pathlib import Path

import pytest

from app.cli.exits import ExitCode
from app.domain.public_id import Kind, public_id
from app.store.engine import make_engine
from app.store.roles import Role
from app.wiring import open_transaction
from tests.cli.conftest import Handoff
from tests.cli.test_looking import _send
from tests.support.databases import Database
from tests.support.messages import adt

_HEADER = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\n"


@pytest.fixture
def followed(operator: Handoff, database: Database, tmp_path: Path) -> Handoff:
    """Ann was discharged; two homes of one program claim her, and a third by another program."""
    operator("org", "add", "Hospital A", "--kind", "hospital", "--part2-status", "not_program")
    operator("feed", "add", "--organization", "Hospital A", "--sending-application", "EPIC", "--sending-facility", "HOSPA")
    file = tmp_path / "roster.csv"
    for name in ("Home One", "Home Two"):
        file.write_text(f"{_HEADER}MC1,Ann,Alder,1980-01-02,F,BHH,2026-01-01\n")
        operator("org", "add", name, "--kind", "behavioral_health_home")
        assert operator("panel", "load", str(file), "--organization", name).code == ExitCode.OK
    discharge = adt(
        "A03", "20260306143000-0500", control="C2", discharged="20260306142500-0500", disposition="01", diagnoses=(("F32.2", "F"),)
    )
    asyncio.run(_send(database, discharge, is_worked=True))
    return operator


def test_queues_are_listed_and_a_review_is_answered_once(followed: Handoff) -> None:
    queues = {one["id"]: one for one in followed("queue", "list", "--json").json["items"]}
    assert (queues["attribution_conflict"]["waiting"], queues["attribution_conflict"]["alert"]) == (1, "none")
    assert "attribution_conflict" in followed("queue", "list").out
    (review,) = followed("review", "list", "--kind", "attribution_conflict", "--json").json["items"]
    assert followed("review", "list", "--kind", "identity", "--json").json == {"items": []}
    answered = followed("review", "answer", review["id"], "dismissed", "--note", "Home Two is right", "--json").json
    assert (answered["state"], answered["resolution"]) == ("dismissed", "Home Two is right")
    assert followed("review", "answer", review["id"], "dismissed").code == ExitCode.OK
    assert followed("review", "answer", review["id"], "upheld").code == ExitCode.REFUSED
    assert followed("review", "answer", review["id"], "perhaps").code == ExitCode.USAGE
    assert followed("review", "answer", "rev_" + "0" * 32, "upheld").code == ExitCode.REFUSED
    assert followed("review", "list", "--state", "perhaps").code == ExitCode.USAGE
    assert followed("review", "list", "--json").json == {"items": []}


def test_a_follow_up_is_offered_accepted_and_declined(followed: Handoff, database: Database, tmp_path: Path) -> None:
    assert followed("transfer", "list", "--json").json == {"items": []}
    (follow_up,) = asyncio.run(_follow_ups(database))
    file = tmp_path / "other.csv"
    file.write_text(f"{_HEADER}MC1,Ann,Alder,1980-01-02,F,TCM,2026-03-07\n")
    followed("org", "add", "Home Three", "--kind", "health_home")
    followed("org", "add", "Home Four", "--kind", "health_home")
    assert followed("panel", "load", str(file), "--organization", "Home Three").code == ExitCode.OK
    assert followed("transfer", "offer", follow_up, "--to", "Home Four").code == ExitCode.REFUSED
    assert followed("transfer", "accept", follow_up).code == ExitCode.REFUSED
    offered = followed("transfer", "offer", follow_up, "--to", "Home Three", "--json").json
    assert (offered["follow_up_id"], offered["state"]) == (follow_up, "offered")
    assert [one["state"] for one in followed("transfer", "list", "--json").json["items"]] == ["offered"]
    assert followed("transfer", "decline", follow_up, "--reason", "not in our region", "--json").json["state"] == "declined"
    assert followed("transfer", "accept", follow_up).code == ExitCode.REFUSED
    followed("transfer", "offer", follow_up, "--to", "Home Three")
    assert followed("transfer", "accept", follow_up, "--json").json["state"] == "accepted"
    assert [one["state"] for one in followed("transfer", "list", "--state", "all", "--json").json["items"]] == ["declined", "accepted"]
    assert followed("transfer", "list", "--state", "perhaps").code == ExitCode.USAGE


async def _follow_ups(database: Database) -> list[str]:
    """Give the follow-ups that belong to a home, of the lead alone."""
    engine = make_engine(database.url, database.network, Role.WORK, name="tests")
    try:
        async with open_transaction(engine)() as raw:
            rows = await raw.fetch("select id from follow_up where home_id is not null and state in ('open', 'suspended')")
    finally:
        await engine.dispose()
    return [public_id(Kind.FOLLOW_UP, row["id"]) for row in rows]
