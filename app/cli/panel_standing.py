"""`handoff panel list`, `limits` and `conflicts`: how panels stand. The same as `/v1/panels`. Not here: loading (panel.py)."""

import asyncio
from datetime import UTC
from typing import Annotated, Any

import orjson
import typer

from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import PAGE, named_organization
from app.cli.output import JsonFlag, Output
from app.domain.attribution import Role
from app.domain.panel_standing import DAYS_MAX, AgeLimits
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.engine import raw_connection
from app.store.panel_conflicts import read_conflicts
from app.store.panel_standings import find_standing, read_standings, set_limits

_COLUMNS = (
    "organization",
    "state",
    "age_days",
    "expires_at",
    "members",
    "rejected",
    "without_phone",
    "possible_duplicates",
    "never_matched",
)
_CONFLICT_COLUMNS = ("person_id", "role", "since", "organizations")
Days = Annotated[int | None, typer.Option(min=1, max=DAYS_MAX)]


def list_panels(*, as_json: JsonFlag = False) -> None:
    """Show how every panel stands: its age and state, its members, and how good it is."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            raw, now = await raw_connection(connection), office.clock.now()
            found = await read_standings(raw, OPERATOR, after=None, limit=PAGE)
            while len(found) % PAGE == 0 and found:
                more = await read_standings(raw, OPERATOR, after=found[-1].organization_id, limit=PAGE)
                if not more:
                    break
                found += more
            return [_plain(one.document(now)) for one in found]

    panels = asyncio.run(run())
    if as_json:
        output.result({"items": panels})
        return
    rows = [one | {"rejected": one["last_upload"]["rejected"]} | (one["figures"] or {}) for one in panels]
    output.table(rows, _COLUMNS, none="No panel was ever loaded: `handoff panel load FILE --organization …`.")


def limits(
    organization: Annotated[str, typer.Argument(help="Whose panel: id or name.")],
    warn_after_days: Days = None,
    expire_after_days: Days = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Set after how many days without a word of its owner a panel is ageing, and expired. An expired panel is still told of."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = await named_organization(connection, organization)
            raw = await raw_connection(connection)
            before = await find_standing(raw, OPERATOR, owner.id)
            if before is None:
                raise refused(f"{owner.name} has no panel.", "Load one first: `handoff panel load FILE --organization …`.")
            wanted = AgeLimits(warn_after_days or before.limits.warn_after_days, expire_after_days or before.limits.expire_after_days)
            if wanted.warn_after_days > wanted.expire_after_days:
                raise usage("The warning would come after the expiry.", "Give both --warn-after-days and --expire-after-days.")
            await set_limits(raw, owner.id, wanted)
            after = await find_standing(raw, OPERATOR, owner.id)
            return _plain(after.document(office.clock.now())) if after is not None else {}

    panel = asyncio.run(run())
    if as_json:
        output.result(panel)
    else:
        output.fields({name: panel[name] for name in ("organization", "state", "age_days", "warn_after_days", "expire_after_days")})


def conflicts(
    organization: Annotated[str | None, typer.Option(help="Only people whom this organization claims: id or name.")] = None,
    role: Annotated[Role | None, typer.Option(help="Only claims as this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many at most.")] = 100,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show whom two organizations claim in one role of which a person has one, and since when."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            whose = (await named_organization(connection, organization)).id if organization is not None else None
            day = office.clock.now().astimezone(UTC).date()
            found = await read_conflicts(
                await raw_connection(connection),
                OPERATOR,
                day,
                organization_id=whose,
                role=None if role is None else role.value,
                limit=limit,
            )
            return [_plain(one.document()) for one in found]

    found = asyncio.run(run())
    if as_json:
        output.result({"items": found})
        return
    rows = [one | {"organizations": ", ".join(dict.fromkeys(claim["organization_id"] for claim in one["claims"]))} for one in found]
    output.table(rows, _CONFLICT_COLUMNS, none="Nobody is claimed twice.")


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """Give the document as JSON has it: instants as text."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return plain
