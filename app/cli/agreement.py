"""`handoff agreement`: the papers under which organizations are told and read."""

import asyncio
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError

from app.api.schemas.agreements import NewAgreement, agreement_json
from app.cli.database import open_office
from app.cli.exits import refused
from app.cli.names import PAGE, named_organization
from app.cli.output import JsonFlag, Output, invalid
from app.domain.agreement import Agreement, AgreementKind
from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store import agreements, organizations
from app.store.engine import raw_connection

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Agreements: without one in force nobody is told or reads anything.")
_COLUMNS = ("id", "organization_id", "kind", "state", "effective_from", "expires_on", "days_left")


@app.command("add")
def add(
    organization: Annotated[str, typer.Argument(help="Whose: id or name.")],
    kind: Annotated[AgreementKind, typer.Option(help="What sort of paper it is.")],
    scope: Annotated[str, typer.Option(help="What it is about, in its own words.")],
    since: Annotated[str, typer.Option(help="The first day on which it holds, YYYY-MM-DD.")],
    until: Annotated[str | None, typer.Option(help="The last day on which it holds; left out: until it is ended.")] = None,
    document: Annotated[str | None, typer.Option(help="Where the paper is.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Put an agreement on file. What waited for it is told late, if the law allows it now."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner, now = await named_organization(connection, organization), office.clock.now()
            said = {"organization_id": str(owner.id), "kind": kind, "scope": scope, "effective_from": since, "expires_on": until}
            try:
                new = NewAgreement.model_validate(said | {"document_id": document}).agreement(office.ids.new(), now)
            except ValidationError as error:
                raise invalid(error) from None
            raw = await raw_connection(connection)
            await agreements.add(raw, new)
            await agreements.release(raw, now)
            return agreement_json(new, ZoneInfo(owner.time_zone), now)

    output.fields(asyncio.run(run()))


@app.command("list")
def list_(
    organization: Annotated[str | None, typer.Argument(help="Only of this one: id or name.")] = None, *, as_json: JsonFlag = False
) -> None:
    """List agreements with how they stand; `expiring` has at most 60 days left."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        found: list[Agreement] = []
        async with open_office(load_settings()) as office, office.operator() as connection:
            whose = (await named_organization(connection, organization)).id if organization is not None else None
            raw = await raw_connection(connection)
            while page := await agreements.page(raw, OPERATOR, whose, after=found[-1].id if found else None, limit=PAGE):
                found += page
            houses = {one: await organizations.find_organization(connection, OPERATOR, one) for one in {a.organization_id for a in found}}
            zones = {id_: ZoneInfo(house.time_zone) for id_, house in houses.items() if house is not None}
            return [agreement_json(one, zones[one.organization_id], office.clock.now()) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="There are no agreements.")


@app.command("end")
def end(agreement: Annotated[str, typer.Argument(help="Its id.")], *, as_json: JsonFlag = False) -> None:
    """End an agreement now. Without another one its organization is told nothing more."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            id_, now = read_public_id(Kind.AGREEMENT, agreement), office.clock.now()
            ended = await agreements.end(await raw_connection(connection), id_, now) if id_ is not None else None
            house = await organizations.find_organization(connection, OPERATOR, ended.organization_id) if ended is not None else None
            if ended is None or house is None:
                raise refused(f"There is no agreement {agreement}.", "`handoff agreement list` lists them.")
            return agreement_json(ended, ZoneInfo(house.time_zone), now)

    output.fields(asyncio.run(run()))
