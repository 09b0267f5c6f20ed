"""`handoff notification why-not` and `handoff org practitioner`: why them, why not them, and for whom practitioners work."""

import asyncio

import pytest

from app import wiring
from app.cli.exits import ExitCode
from app.settings import load_settings
from app.store.engine import make_engine
from app.store.roles import Role
from tests.cli.conftest import Handoff
from tests.cli.test_looking import ADMIT, _send, exchange
from tests.support.databases import Database

__all__ = ["exchange"]

NPI = "1245319599"


@pytest.mark.usefixtures("exchange")
def test_why_not_names_everybody_and_whoever_is_asked_about(operator: Handoff, database: Database) -> None:
    operator("org", "add", "Home C", "--kind", "health_home")
    asyncio.run(_send(database, ADMIT, is_worked=True))
    encounter = f"enc_{asyncio.run(_only_stay(database))}"
    asked = operator("notification", "why-not", encounter, "--json").json
    assert [(one["organization"]["name"], one["told"]) for one in asked["candidates"]] == [("Home B", True)]
    other = operator("notification", "why-not", encounter, "--organization", "Home C", "--json").json
    assert other["candidates"][0]["why"][0].startswith("no_claim")
    assert "Home B" in operator("notification", "why-not", encounter).out
    assert operator("notification", "why-not", "enc_" + "0" * 32).code == ExitCode.REFUSED


async def _only_stay(database: Database) -> str:
    load_settings()
    engine = make_engine(database.url, database.network, Role.WORK, name="tests")
    try:
        async with wiring.open_transaction(engine)() as raw:
            found: str = (await raw.fetchval("select id from encounter")).hex
    finally:
        await engine.dispose()
    return found


@pytest.mark.usefixtures("exchange")
def test_practitioners_are_added_listed_and_removed(operator: Handoff) -> None:
    added = operator("org", "practitioner", "Home B", NPI, "--since", "2026-01-01", "--json").json
    assert (added["npi"], added["effective_from"]) == (NPI, "2026-01-01")
    assert [one["npi"] for one in operator("org", "practitioners", "Home B", "--json").json["items"]] == [NPI]
    operator("org", "practitioner", "Home B", NPI, "--remove")
    assert operator("org", "practitioners", "Home B", "--json").json["items"] == []
    assert operator("org", "practitioner", "Home B", NPI, "--remove").code == ExitCode.REFUSED
    assert operator("org", "practitioner", "Home B", "1234567890").code == ExitCode.USAGE
    assert operator("org", "practitioner", "Home B", NPI, "--since", "yesterday").code == ExitCode.USAGE
