"""`handoff org`: the organizations of the exchange. Not here: their feeds, keys and panels."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError

from app.api.schemas.organizations import CallBackRequest, NewOrganization, call_back_json, organization_json, unit_json
from app.cli import org_practitioner
from app.cli.database import open_office
from app.cli.names import all_organizations, named_organization
from app.cli.output import JsonFlag, Output, invalid
from app.domain.organization import FacilityType, OrganizationKind, Part2Status
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.facility_units import put_unit
from app.store.organizations import add_organization, change_organization

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
    holiday_calendar: Annotated[
        str | None, typer.Option(help="Of a home, such as US-ME: business days leave out its state's holidays; default US.")
    ] = None,
    call_back: Annotated[str | None, typer.Option(help="Telephone that is answered, for those who follow its patients up.")] = None,
    direct_address: Annotated[str | None, typer.Option(help="Address for Direct secure messaging.")] = None,
    records_contact: Annotated[str | None, typer.Option(help="Who gives out records.")] = None,
    known_as: Annotated[list[str] | None, typer.Option(help="What others' PV1-37 calls it; repeat for several.")] = None,
    adt_wait_hours: Annotated[
        int | None, typer.Option(help="It sends no ADT, or late: so long its admission after a transfer is awaited.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add an organization."""
    output = Output(as_json=as_json)

    async def run() -> None:
        given = {
            "time_zone": time_zone,
            "holiday_calendar": holiday_calendar,
            "npi": npi,
            "call_back_number": call_back,
            "direct_address": direct_address,
            "records_contact": records_contact,
            "known_as": known_as,
            "adt_wait_hours": adt_wait_hours,
        }
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
            of_that_name = [one for one in await all_organizations(connection) if one.name.casefold() == new.name.casefold()]
            await add_organization(connection, new)
        output.fields(organization_json(new))
        if of_that_name:
            output.say(f"{len(of_that_name) + 1} organizations are called so now: commands need the id of the one that is meant.")

    asyncio.run(run())


@app.command("call-back")
def call_back_(
    organization: Annotated[str, typer.Argument(help="Id or name.")],
    unit: Annotated[str | None, typer.Option(help="A unit as its messages write it (PV1-3.1); left out: the house.")] = None,
    number: Annotated[str | None, typer.Option(help="Telephone that is answered.")] = None,
    direct_address: Annotated[str | None, typer.Option(help="Address for Direct secure messaging.")] = None,
    records_contact: Annotated[str | None, typer.Option(help="Who gives out records.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say how a facility, or one of its units, is reached, in place of what was said before."""
    output = Output(as_json=as_json)
    try:
        said = CallBackRequest(call_back_number=number, direct_address=direct_address, records_contact=records_contact)
    except ValidationError as error:
        raise invalid(error) from None

    async def run() -> None:
        async with open_office(load_settings()) as office, office.operator() as connection:
            found = await named_organization(connection, organization)
            if unit is None:
                changed = await change_organization(connection, OPERATOR, found.id, call_back_json(said.call_back()))
                output.fields(organization_json(changed or found))
                return
            named = unit.strip().upper()
            await put_unit(connection, found.id, named, said.call_back(), office.clock.now())
            output.fields({"organization": found.name, **unit_json(named, said.call_back())})

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


app.command("practitioner")(org_practitioner.practitioner)
app.command("practitioners")(org_practitioner.practitioners)
