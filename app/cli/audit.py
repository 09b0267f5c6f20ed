"""`handoff audit`: is the chain whole, the chain as a file, and removing what was kept long enough."""

import asyncio
from typing import Annotated, Any

import typer

from app import wiring
from app.actions.verify_audit import Verified, verify_audit
from app.cli.database import open_office
from app.cli.exits import ExitCode
from app.cli.output import JsonFlag, Output
from app.domain.audit_chain import Link
from app.settings import load_settings
from app.standards.retention_rules import retention_rules, years_before
from app.store import audit_chain, audit_retention
from app.store.audit_retention import Due
from app.store.engine import raw_connection
from app.store.roles import Network, Role
from app.store.unit_of_work import unit_of_work
from app.wiring.audited import chain_signer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who looked at what, and the proof that nobody changed it.")

_PAGE = 500


@app.callback()
def _audit() -> None:
    """Look after the audit and its chain."""


@app.command("verify")
def verify(*, as_json: JsonFlag = False) -> int:
    """Check the chain over the audit, the ledger and the attempts; name the first link and row that is not as it was."""
    output = Output(as_json=as_json)

    async def run() -> Verified:
        async with open_office(load_settings()) as office, wiring.open_transaction(office.work)() as raw:
            return await verify_audit(raw, chain_signer(office.settings))

    found = asyncio.run(run())
    broken = found.broken
    document = {
        "whole": broken is None,
        "links": found.links,
        "rows": found.rows,
        "removed_links": found.removed_links,
        "head": found.head.link_hash.hex() if found.head else None,
        "unlinked_rows": found.unlinked_rows,
        "oldest_unlinked_at": found.oldest_unlinked_at,
        "broken_link": broken.link if broken else None,
        "broken": broken.what.value if broken else None,
        "table": found.table,
        "row": str(found.row_id) if found.row_id else None,
    }
    output.fields(document)
    return ExitCode.FOUND if broken is not None else ExitCode.OK


@app.command("export")
def export(after: Annotated[int, typer.Option(min=0, help="Only links after this number.")] = 0, *, as_json: JsonFlag = False) -> None:
    """Print the links with their signatures, to be kept elsewhere: with a copy of the rows they prove what the rows were."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        links: list[Link] = []
        async with open_office(load_settings()) as office, wiring.open_transaction(office.work)() as raw:
            number = after
            while page := await audit_chain.links_after(raw, number, _PAGE):
                links += page
                number = page[-1].number
            return {
                "public_key": chain_signer(office.settings).public_key.hex(),
                "algorithm": "Ed25519",
                "links": [_shown(one) for one in links],
            }

    document = asyncio.run(run())
    if as_json:
        output.result(document)
        return
    output.fields({"public key": document["public_key"], "algorithm": document["algorithm"]})
    output.table(document["links"], ("number", "rows", "last_at", "link_hash", "signature"), none="Nothing is linked yet.")


def _shown(link: Link) -> dict[str, Any]:
    return {
        "number": link.number,
        "form": link.form,
        "from_xid": link.from_xid,
        "to_xid": link.to_xid,
        "rows": link.rows.count,
        "last_at": link.rows.last_at,
        "rows_hash": link.rows.rows_hash.hex(),
        "leaves": link.rows.leaves.hex(),
        "link_hash": link.link_hash.hex(),
        "signature": link.signature.hex(),
        "linked_at": link.linked_at,
    }


@app.command("retain")
def retain(
    *, yes: Annotated[bool, typer.Option("--yes", help="Remove; without it the count is named.")] = False, as_json: JsonFlag = False
) -> None:
    """Remove the rows that were kept long enough (six years). Their links stay and prove what they were."""
    output = Output(as_json=as_json)
    rules = retention_rules()

    async def run() -> Due:
        async with open_office(load_settings()) as office:
            now = office.clock.now()
            owner = wiring.engine_of(office.settings, office.database.url, Role.OWNER, name="handoff command")
            try:
                async with unit_of_work(owner, None) as connection:
                    raw = await raw_connection(connection)
                    what = await audit_retention.due(raw, years_before(now, rules.kept_years))
                    if yes:
                        await audit_retention.remove(raw, Network(office.settings.network), what, now)
            finally:
                await owner.dispose()
            return what

    what = asyncio.run(run())
    output.fields({"rows": what.rows, "links": what.links, "removed": yes, "kept_years": rules.kept_years, "rule": rules.version})
