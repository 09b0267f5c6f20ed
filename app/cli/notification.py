"""`handoff notification`: what was told, to whom, and the chain of reasons behind it. Holds patient data, like the thing itself."""

import asyncio
from typing import Annotated, Any

import typer

from app import wiring
from app.actions.attribute import attribute, claims_on
from app.actions.explain_attribution import explain_attribution
from app.actions.present_notifications import present_notifications
from app.api.schemas.attribution import candidate_json
from app.api.schemas.notifications import why_json
from app.cli.database import open_office
from app.cli.exits import refused
from app.cli.names import named_organization, read_id
from app.cli.output import JsonFlag, Output
from app.domain.feed import FeedMode
from app.domain.interpreted import KEPT_APART
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store import answers
from app.store.audit import saw
from app.store.directory import RegistryReader
from app.store.encounter_reads import find_encounter
from app.store.engine import raw_connection
from app.store.notification_reads import find_notification, why_notified

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What was told, to whom, and why.")


@app.callback()
def _notification() -> None:
    """Look at what was told, to whom, and why."""


@app.command("why")
def why(notification_id: Annotated[str, typer.Argument(help="Its id, as the recipient has it.")], *, as_json: JsonFlag = False) -> None:
    """Say why a recipient was told: the claim, every decision with its reasons, every version, and the message behind it."""
    output = Output(as_json=as_json)
    id_ = read_id(Kind.NOTIFICATION, notification_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found = await find_notification(raw, OPERATOR, id_)
            if found is None:
                raise refused(
                    f"There is no notification {notification_id}.", "The id is in the notification itself, and in `handoff inbound show`."
                )
            directory = await RegistryReader().current(raw)
            read = wiring.read_stay(wiring.rulebook(office.settings.standards_dir), wiring.SystemClock())
            (shown,) = await present_notifications(raw, OPERATOR, [found], directory=directory, read_stay=read)
            document = why_json(shown, await why_notified(raw, OPERATOR, found))
            recipient = directory.organizations.get(found.recipient_id)
            return document | {"recipient": recipient.name if recipient is not None else None}

    document = asyncio.run(run())
    if as_json:
        output.result(document)
        return
    told, now = document["notification"], document["now"]
    output.fields(
        {
            "recipient": document["recipient"],
            "type": told["type"],
            "sequence": told["sequence"],
            "because": told.get("reason"),
            "follow-up": told.get("follow_up_id"),
            "told to act": _parts(told),
            "decision now": now["decision"] if now else None,
            "reasons": now["reasons"] if now else None,
            "claim": document["attribution"],
            "message": document["cause"],
            "acknowledged": document["acknowledged_at"],
        }
    )
    output.table(
        [{"decided": line["decided_at"], "decision": line["decision"], "reasons": line["reasons"]} for line in document["ledger"]],
        ("decided", "decision", "reasons"),
        none="No event of a stay is behind it: it is about the follow-up, for the reason above.",
    )


def _parts(told: dict[str, Any]) -> str | None:
    """Say at which step it was told, and to which people of the home."""
    escalation = told.get("escalation")
    if escalation is None:
        return None
    at = f" at {escalation['percent']} %" if escalation["percent"] is not None else ""
    return f"{escalation['level']}{at}: {', '.join(one['part'] for one in escalation['to'])}"


@app.command("why-not")
def why_not(
    encounter_id: Annotated[str, typer.Argument(help="The stay, as notifications and `handoff inbound show` name it.")],
    organization: Annotated[str | None, typer.Option(help="Only this one, whether it claims the person or not: id or name.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say who is told of a stay and who is not, each with the reasons, by the rules now and by the ledger."""
    output = Output(as_json=as_json)
    id_ = read_id(Kind.ENCOUNTER, encounter_id)

    async def run() -> tuple[list[dict[str, Any]], bool]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            rulebook = wiring.rulebook(office.settings.standards_dir)
            only = (await named_organization(connection, organization)).id if organization is not None else None
            raw = await raw_connection(connection)
            directory = await RegistryReader().current(raw)
            found = await find_encounter(raw, OPERATOR, id_)
            if found is None:
                raise refused(f"There is no stay {encounter_id}.", "The id is in notifications, and in `handoff inbound show`.")
            stay = wiring.read_stay(rulebook, wiring.SystemClock())(found, directory)
            claimed = (await claims_on(raw, [stay])).get(stay.person_id, [])
            answered = await answers.of_people(raw, [stay.person_id])
            desired = attribute(stay, claimed, directory, rulebook, answered)
            candidates = await explain_attribution(raw, stay, claimed, desired, answered, directory, rulebook, only=only)
            saw([stay.person_id])
        return [candidate_json(one) for one in candidates], stay.mode == FeedMode.TEST

    candidates, is_test = asyncio.run(run())
    if as_json:
        output.result({"encounter_id": encounter_id, "candidates": candidates})
        return
    output.table(
        [{"organization": one["organization"]["name"], "told": one["told"], "why": one["why"]} for one in candidates],
        ("organization", "told", "why"),
        none=f"Nobody claims the person, and no message names a practitioner of anybody.{' ' + KEPT_APART.text if is_test else ''}",
    )
