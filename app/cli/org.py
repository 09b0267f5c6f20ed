"""`handoff org`: the organizations of the exchange. Not here: their feeds, keys and panels."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError

from app.api.schemas.organizations import NewOrganization, organization_json
from app.cli.database import open_office
from app.cli.names import all_organizations, named_organization
from app.cli.output import JsonFlag, Output, invalid
from app.domain.organization import FacilityType, OrganizationKind, Part2Status
from app.settings import load_settings
from app.store.organizations import add_organization

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Organizations of the exchange.")

_COLUMNS = ("id", "name", "kind", "part2_status", "time_zone", "parent_id")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="As people call it.")],
    kind: Annotated[OrganizationKind, typer.Option(help="What it is.")],
    part2_status: Annotated[Part2Status, typer.Option(help="42 CFR Part 2: is it a substance-use program?")] = Part2Status.UNKNOWN,
    facility_type: Annotated[FacilityType, typer.Option(help="What kind of place a stay there is.")] = FacilityType.UNKNOWN,
    program_role: Annotated[list[str] | None, typer.Option(help="A role in a program; repeat for several.")] = None,
    parent: Annotated[str | None, typer.Option(help="The organization that this is a site of: id or name.")] = None,
    npi: Annotated[str | None, typer.Option(help="National Provider Identifier.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA name; default America/New_York.")] = None,
    holiday_calendar: Annotated[str | None, typer.Option(help="For business-day clocks, such as US-ME; default US.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add an organization."""
    output = Output(as_json=as_json)

    async def run() -> None:
        given = {"time_zone": time_zone, "holiday_calendar": holiday_calendar, "npi": npi}
        async with open_office(load_settings()) as office, office.operator() as connection:
            parent_id = (await named_organization(connection, parent)).id if parent is not None else None
            try:
                new = NewOrganization.model_validate(
                    {
                        "name": name,
                        "kind": kind,
                        "part2_status": part2_status,
                        "facility_type": facility_type,
                        "program_roles": program_role or [],
                        "parent_id": parent_id,
                        **{field: value for field, value in given.items() if value is not None},
                    }
                ).organization(office.ids.new(), office.clock.now())
            except ValidationError as error:
                raise invalid(error) from None
            await add_organization(connection, new)
        output.fields(organization_json(new))

    asyncio.run(run())


@app.command("list")
def list_(*, as_json: JsonFlag = False) -> None:
    """List the organizations, oldest first."""
    output = Output(as_json=as_json)

    async def run() -> None:
        async with open_office(load_settings()) as office, office.operator() as connection:
            found = await all_organizations(connection)
        output.table(
            [organization_json(one) for one in found], _COLUMNS, none="There are no organizations; add one with `handoff org add`."
        )

    asyncio.run(run())
