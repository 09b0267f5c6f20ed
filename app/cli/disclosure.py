"""`handoff disclosure`: to whom a person's events were told (42 CFR 2.24, 45 CFR 164.528)."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from app.actions.account import Reach, account
from app.api.schemas.members import read_identifier
from app.cli.database import open_office
from app.cli.exits import usage
from app.cli.names import PAGE, read_id
from app.cli.output import JsonFlag, Output
from app.domain.public_id import Kind
from app.settings import load_settings
from app.standards.retention_rules import retention_rules, years_before
from app.store import disclosure_reads
from app.store.audit import saw
from app.store.directory import RegistryReader

app = typer.Typer(add_completion=False, no_args_is_help=True, help="To whom a person's events were told.")

_COLUMNS = ("disclosed_at", "to", "what", "tier", "purpose", "sent_at", "in_42_cfr_2_24", "in_45_cfr_164_528")


@app.callback()
def _disclosure() -> None:
    """Account for disclosures."""


@app.command("list")
def list_(
    person: Annotated[str | None, typer.Option(help="The person's id.")] = None,
    identifier: Annotated[str | None, typer.Option(help="Or SYSTEM|VALUE, any number that a source gave.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List what was told of a person in six years, to whom, when, and on which legal list it is."""
    output = Output(as_json=as_json)
    wanted = read_identifier(identifier) if identifier is not None else None
    if (person is None) == (wanted is None):
        raise usage("Say whose disclosures: --person, or --identifier as SYSTEM|VALUE.", "The id is in notifications and in `members`.")

    async def run() -> list[dict[str, Any]]:
        rules, found = retention_rules(), []
        async with open_office(load_settings()) as office, office.raw() as raw:
            people = [read_id(Kind.PERSON, person)] if person is not None else []
            if wanted is not None:
                people = await disclosure_reads.people_with(raw, wanted.authority, wanted.value)
            now, directory = office.clock.now(), await RegistryReader().current(raw)
            reach = Reach(years_before(now, rules.part2_list_years), years_before(now, rules.accounting_years))
            after: UUID | None = None
            while page := await account(raw, people, reach, directory, after=after, limit=PAGE):
                found += [document for _, _, document in page]
                after = page[-1][0]
            saw(people)
        return found

    found = asyncio.run(run())
    if as_json:
        output.result({"items": found})
        return
    shown = [{**one, "to": one["recipient"]["name"]} for one in found]
    output.table(shown, _COLUMNS, none="Nothing was told of this person in six years.")
