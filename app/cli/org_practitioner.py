"""`handoff org practitioner` and `org practitioners`: for whom the practitioners work whom hospitals' messages name."""

import asyncio
from datetime import date
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.api.schemas.attribution import NewPractitioner, practitioner_json
from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import PAGE, named_organization
from app.cli.output import JsonFlag, Output, invalid
from app.settings import load_settings
from app.store import practitioners as store
from app.store.engine import raw_connection

_COLUMNS = ("npi", "effective_from", "effective_to", "asserted_at")
OrganizationArgument = Annotated[str, typer.Argument(help="For whom: id or name.")]
_Day = Annotated[str | None, typer.Option(help="YYYY-MM-DD.")]


def practitioner(
    organization: OrganizationArgument,
    npi: Annotated[str, typer.Argument(help="National Provider Identifier.")],
    since: _Day = None,
    until: _Day = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="They do not work there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say that a practitioner works for an organization: it is told of stays whose messages name them."""
    output = Output(as_json=as_json)
    try:
        new = NewPractitioner(npi=npi, effective_from=_day(since), effective_to=_day(until))
    except ValidationError as error:
        raise invalid(error) from None

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = await named_organization(connection, organization)
            raw, now = await raw_connection(connection), office.clock.now()
            if remove:
                if not await store.retract(raw, owner.id, npi, now):
                    raise refused(f"{owner.name} has no practitioner {npi}.", "`handoff org practitioners` lists them.")
                return {"npi": npi, "organization": owner.name, "removed": True}
            kept = await store.add(raw, store.Practitioner(office.ids.new(), npi, owner.id, new.effective_from, new.effective_to, now))
            return practitioner_json(kept)

    output.fields(asyncio.run(run()))


def practitioners(organization: OrganizationArgument, *, as_json: JsonFlag = False) -> None:
    """List the practitioners who work for an organization."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        found: list[store.Practitioner] = []
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = await named_organization(connection, organization)
            raw = await raw_connection(connection)
            after: str | None = None
            while page := await store.of_organization(raw, owner.id, after=after, limit=PAGE):
                found += page
                after = page[-1].npi
        return [practitioner_json(one) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="Nobody is said to work there.")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise usage("That is no day.", "Write it as YYYY-MM-DD.") from None
