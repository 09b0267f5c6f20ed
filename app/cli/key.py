"""`handoff key`: API keys of organizations. A key is printed once; only its keyed hash is stored."""

import asyncio
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from app.actions.issue_key import KeyWish, issue_key
from app.api.schemas.keys import key_json
from app.cli.database import open_office
from app.cli.exits import refused
from app.cli.names import PAGE, named_organization, read_id
from app.cli.output import JsonFlag, Output
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR, Scope
from app.settings import load_settings
from app.store.api_keys import ApiKey, list_keys, revoke_key
from app.wiring.face import key_secrets

app = typer.Typer(add_completion=False, no_args_is_help=True, help="API keys.")

_COLUMNS = ("id", "organization_id", "scopes", "label", "expires_at", "revoked_at")


@app.command("create")
def create(
    organization: Annotated[str, typer.Option(help="Whose key: id or name.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for several.")],
    label: Annotated[str, typer.Option(help="What it is for, in the list of keys.")] = "",
    expires_in_days: Annotated[int | None, typer.Option(min=1, help="Default: it does not expire.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it. It cannot be shown again."""
    output = Output(as_json=as_json)

    async def run() -> None:
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = await named_organization(connection, organization)
            now = office.clock.now()
            expires_at = now + timedelta(days=expires_in_days) if expires_in_days is not None else None
            secrets = key_secrets(office.settings, office.keys)
            issued = await issue_key(
                connection,
                KeyWish(owner.id, tuple(scope), label, expires_at),
                ids=office.ids,
                now=now,
                pepper=secrets.pepper,
                environment=secrets.environment,
            )
        output.fields({**key_json(issued.stored), "key": issued.key})

    asyncio.run(run())


@app.command("list")
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this organization's: id or name.")] = None, *, as_json: JsonFlag = False
) -> None:
    """List the keys without the keys themselves, revoked ones too."""
    output = Output(as_json=as_json)

    async def run() -> None:
        found: list[ApiKey] = []
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = (await named_organization(connection, organization)).id if organization is not None else None
            after: UUID | None = None
            while page := await list_keys(connection, OPERATOR, organization_id=owner, after=after, limit=PAGE):
                found += page
                after = page[-1].id
        output.table([key_json(one) for one in found], _COLUMNS, none="There are no keys; make one with `handoff key create`.")

    asyncio.run(run())


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="Its id, from `handoff key list`.")], *, as_json: JsonFlag = False) -> None:
    """End one key. It stops working within five seconds everywhere."""
    output = Output(as_json=as_json)

    async def run() -> None:
        async with open_office(load_settings()) as office, office.operator() as connection:
            ended = await revoke_key(connection, OPERATOR, read_id(Kind.KEY, key_id), office.clock.now())
        if ended is None:
            raise refused(f"There is no key {key_id}.", "`handoff key list` shows them all.")
        output.fields(key_json(ended))

    asyncio.run(run())
