"""`handoff panel consent`, `review-consents` and `rehearse`: what many members signed, as over `/v1/panels/{id}/consents`.

Not here: the consent columns of a roster (panel.py).
"""

import asyncio
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app import wiring
from app.actions.assert_panel_consents import assert_panel_consents
from app.actions.review_panel_consents import review_panel_consents
from app.api.schemas.panel_consents import panel_rehearsal_json
from app.cli.database import Office, open_office
from app.cli.exits import refused, usage
from app.cli.names import named_organization
from app.cli.output import JsonFlag, Output
from app.domain.calendar import local_date
from app.domain.consent import ConsentKind
from app.domain.organization import Organization
from app.domain.panel_consent import PanelPaper, PaperFilter
from app.domain.panel_rehearsal import SignedAlike, read_alike, rehearse_panel
from app.domain.privacy_law import StatePack
from app.settings import load_settings
from app.store import panel_consents
from app.store.directory import RegistryReader
from app.store.hints import hint_once

Whose = Annotated[str, typer.Argument(help="Whose panel: id or name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]
Document = Annotated[str | None, typer.Option(help="Where the papers are.")]


def consent(
    organization: Whose,
    kind: Annotated[ConsentKind, typer.Option("--type", help="tpo, named or refusal.")],
    signed_on: Annotated[str, typer.Option(help="The day of the signatures, YYYY-MM-DD.")],
    scope: Annotated[str, typer.Option(help="What it lets go, in its own words; a refusal needs none.")] = "",
    expires_on: Annotated[str | None, typer.Option(help="The last day on which it holds, YYYY-MM-DD; left out: none.")] = None,
    document: Document = None,
    member: Annotated[list[str] | None, typer.Option(help="A member as the roster names them; may be given again.")] = None,
    members: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="A file of them, one a line.")] = None,
    *,
    all_members: Annotated[bool, typer.Option("--all", help="Everybody on the panel.")] = False,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Assert of many members that they signed one form, for the panel's owner. It waits for review; a refusal counts at once."""
    output = Output(as_json=as_json)
    named = [*(member or ()), *([line.strip() for line in members.read_text().splitlines() if line.strip()] if members else ())]
    if all_members is bool(named):
        raise usage("Say whom it is of.", "Give --all, or --member or --members.")
    paper = PanelPaper(kind, _day(signed_on), _day(expires_on) if expires_on is not None else None, scope, document)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                owner = await named_organization(connection, organization)
            now = office.clock.now()
            today = local_date(now, ZoneInfo(owner.time_zone))
            if wrong := paper.faults(today):
                raise refused("\n".join(f"{name} {said}" for name, said in wrong), "Correct it and assert it again.")
            found = await assert_panel_consents(
                office.raw,
                owner.id,
                paper,
                None if all_members else list(dict.fromkeys(named)),
                law=wiring.rulebook().privacy,
                dry_run=dry_run,
                today=today,
                ids=office.ids,
                now=now,
            )
            if found.active and not dry_run:
                await hint_once(office.database.url, office.database.network, "inbound")
            return {"dry_run": dry_run, **found.document()}

    output.fields(asyncio.run(run()))


def review_consents(
    organization: Whose,
    decision: Annotated[str, typer.Argument(help="accept or refuse.")],
    note: Annotated[str | None, typer.Option(help="What was found.")] = None,
    kind: Annotated[ConsentKind | None, typer.Option("--type", help="Only of this type.")] = None,
    signed_on: Annotated[str | None, typer.Option(help="Only of this day, YYYY-MM-DD.")] = None,
    document: Document = None,
    *,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Accept or refuse all papers of a panel that wait for review. Count first, with --dry-run."""
    output = Output(as_json=as_json)
    if decision not in ("accept", "refuse"):
        raise usage(f"{decision!r} is no decision.", "Say accept or refuse.")
    wanted = PaperFilter(kind, _day(signed_on) if signed_on is not None else None, document)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                owner = await named_organization(connection, organization)
            accept = decision == "accept"
            now = office.clock.now()
            decided = await review_panel_consents(office.raw, owner.id, wanted, accept=accept, note=note, dry_run=dry_run, now=now)
            if decided and not dry_run:
                await hint_once(office.database.url, office.database.network, "inbound")
            return {"dry_run": dry_run, "decided": decided}

    output.fields(asyncio.run(run()))


def rehearse(
    organization: Whose,
    pack: Annotated[str | None, typer.Option(help="Which state's rules would hold; left out: the federal rules alone.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say of how many members the owner would be told nothing if a state pack applied, and why. Changes nothing."""
    output = Output(as_json=as_json)
    chosen = known_pack(pack)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                owner = await named_organization(connection, organization)
            day = local_date(office.clock.now(), ZoneInfo(owner.time_zone))
            async with office.raw() as raw:
                signed = await panel_consents.signed_alike(raw, owner.id, day, None)
            return await rehearsed(office, owner, [read_alike(papers, members) for papers, members in signed], chosen)

    document = asyncio.run(run())
    if as_json:
        output.result(document)
        return
    show_silence(output, document)


def known_pack(name: str | None) -> StatePack | None:
    """Give a state's pack by its name; none means the federal rules alone."""
    packs = wiring.rulebook().privacy.packs
    if name is not None and name not in packs:
        raise usage(f"There is no pack {name!r}.", f"There are: {', '.join(sorted(packs))}.")
    return packs[name] if name is not None else None


async def rehearsed(office: Office, owner: Organization, signed: Iterable[SignedAlike], pack: StatePack | None) -> dict[str, Any]:
    """Show of how many members who have signed so the panel's owner would be told nothing, and why."""
    now, law = office.clock.now(), wiring.rulebook().privacy
    async with office.raw() as raw:
        directory = await RegistryReader().current(raw)
    day = local_date(now, ZoneInfo(owner.time_zone))
    found = rehearse_panel(directory.organizations.get(owner.id, owner), signed, pack, law, day=day, now=now)
    return panel_rehearsal_json(owner, pack, found)


def show_silence(output: Output, document: dict[str, Any]) -> None:
    """Print it for people, who take a bare `silent 2` for what becomes of every stay."""
    output.fields({name: document[name] for name in ("privacy_pack", "verified", "members")})
    output.text("Of stays that one of these rules protects (at a Part 2 program), and of no others, of so many members would be told:")
    columns = ("rule", "told", "minimal", "silent", "silent_until_reviewed")
    output.table(document["stays"], columns, none="The pack has no rule that asks for an opt-in.")
    for stay in document["stays"]:
        for why in stay["reasons"]:
            output.say(f"{stay['rule']}: {why['members']} because {why['reason']}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise usage(f"{text!r} is no day.", "Write it as YYYY-MM-DD.") from None
