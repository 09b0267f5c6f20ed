"""`handoff send`: messages from a file to any receiver, ours or another's, and what each was answered.

Every message is sent once. Nothing is sent again here: a message whose fate is not known is named, and sending it again is safe with us
as the receiver. Not here: what a message means.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.hl7v2.client import Acknowledgement, MllpClient, MllpError, NotConnectedError
from adapters.hl7v2.encodings import tokenize
from adapters.hl7v2.er7 import Er7Message
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.tls import client_context
from adapters.hl7v2.xml_form import is_xml
from app.cli.exits import CommandError, ExitCode, refused, unavailable, usage
from app.cli.http_client import HttpAnswer, HttpClient, NoAnswerError, NotReachedError
from app.cli.message_file import MESSAGE_FILE, FileMessage, read_content, read_messages
from app.cli.output import JsonFlag, Output
from app.cli.send_fhir import FHIR_JSON, content_type_of, outcome, passed_on, process_message
from app.domain.inbound import Format

app = typer.Typer(add_completion=False)

_POSITIVE = frozenset({"AA", "CA", "200", "202", "204"})
_ER7 = "application/hl7-v2"
_XML = "application/hl7-v2+xml; charset=utf-8"
_CONDITIONS = ("control_id", "code", "text")
_REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Check --key: `handoff key list` shows the keys there are.",
    HTTPStatus.FORBIDDEN: "Check --key: whoever runs the exchange makes one with the scope adt.write.",
    HTTPStatus.NOT_FOUND: "Check the address: it is that of the service, or of its /hl7v2 or /fhir.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Leave scanned documents out, or have the receiver's limit raised.",
}
_OTHER_REMEDY = "The answer names what is wrong; `handoff lint` says more of the messages themselves."


@app.command()
def send(
    file: Annotated[Path, typer.Argument(dir_okay=False, help=f"{MESSAGE_FILE} - is the standard input.")],
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="An MLLP receiver.")] = None,
    http: Annotated[str | None, typer.Option(metavar="URL", help="An HTTP receiver: the service, or its /hl7v2 or /fhir.")] = None,
    key: Annotated[str | None, typer.Option(help="API key for --http; @FILE reads it from a file, which no process list shows.")] = None,
    feed: Annotated[str | None, typer.Option(help="For --http: the feed, where the messages do not name it.")] = None,
    tls_authority: Annotated[Path | None, typer.Option(help="For --mllp: speak TLS and trust this PEM authority.")] = None,
    forward_as: Annotated[
        str | None,
        typer.Option(metavar="NAME|ENDPOINT", help="For FHIR: pass it on as this intermediary, with new ids, sender and Provenance."),
    ] = None,
    leave_out: Annotated[list[str] | None, typer.Option(metavar="TYPE", help="With --forward-as: resources not to pass on.")] = None,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="How long to wait for one answer.")] = 30.0,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Send the messages of a file, HL7 v2 or FHIR by what it holds, one after the other, and print each answer with its problems."""
    if (mllp is None) == (http is None):
        raise usage("Say where to send: --mllp HOST:PORT or --http URL.", "Exactly one of the two.")
    output = Output(as_json=as_json)
    held = read_messages(file, read_content(file))
    for warning in held.warnings:
        output.say(f"{file}: {warning.location or '(file)'}: {warning.text}")
    messages = list(held.messages)
    if forward_as is not None:
        messages = passed_on(messages, forward_as, str(http), frozenset(leave_out or ()))
    if mllp is not None:
        if any(message.format is not Format.ER7 for message in messages):
            raise usage(f"{file} holds FHIR messages, and MLLP carries HL7 v2.", "Send them by --http.")
        host, port = _place(mllp)
        tls = client_context(tls_authority) if tls_authority is not None else None
        client = MllpClient(host, port, tls=tls, answer_timeout_s=timeout_s)
        answers = _over_mllp(client, [message.body for message in messages])
    else:
        answers = _over_http(str(http), _key(key), feed, messages, timeout_s)
    negative = asyncio.run(_print_all(answers, output, len(messages)))
    return ExitCode.REFUSED if negative else ExitCode.OK


async def _print_all(answers: AsyncIterator[tuple[Acknowledgement, ...]], output: Output, total: int) -> int:
    """Print as they come; give how many messages were answered negatively: in enhanced mode one may have two answers."""
    shown: list[dict[str, Any]] = []
    negative = 0
    async for acknowledgements in answers:
        negative += any(one.code not in _POSITIVE for one in acknowledgements)
        for said in map(_shown, acknowledgements or (None,)):
            shown.append(said)
            if not output.as_json:
                output.text("  ".join(str(said[name]) for name in _CONDITIONS if said.get(name)))
                for problem in said.get("problems", ()):
                    output.text(f"    {problem['location'] or '(message)'}: {problem['text']}")
    if output.as_json:
        output.result({"sent": total, "negative": negative, "acknowledgements": shown})
    else:
        output.say(f"{total} sent, {total - negative} accepted, {negative} answered negatively.")
    return negative


def _shown(one: Acknowledgement | None) -> dict[str, Any]:
    if one is None:
        return {"code": None, "text": "no acknowledgement is due"}
    problems = [{"location": location, "text": text} for location, text in one.errors]
    return {"control_id": one.control_id, "code": one.code, "text": one.text, "problems": problems}


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise usage(f"{text!r} is not HOST:PORT.", "For example 127.0.0.1:2575.")
    return host.strip("[]"), int(port)


def _key(text: str | None) -> str:
    if text is None:
        return ""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text().strip()
    except OSError as error:
        raise usage(f"The key's file {text[1:]} cannot be read ({error.strerror}).", "Check the path and its owner.") from None


async def _over_mllp(client: MllpClient, messages: list[bytes]) -> AsyncIterator[tuple[Acknowledgement, ...]]:
    answered = 0
    try:
        async with client:
            async for reply in client.send_all(messages):
                answered += 1
                yield reply.acknowledgements
    except NotConnectedError as error:
        if not error.unanswered and not answered:
            raise unavailable(str(error), "Nothing was sent. Check host and port, and that the receiver listens.") from None
        raise _unknown(error, answered, len(messages)) from None
    except MllpError as error:
        raise _unknown(error, answered, len(messages)) from None


def _unknown(error: MllpError, answered: int, total: int) -> CommandError:
    return CommandError(
        ExitCode.UNKNOWN,
        f"{error} {answered} of {total} messages were answered; it is not known whether the next was taken.",
        f"Send the file again from message {answered + 1} on; with this service as the receiver, sending all of it again is safe.",
    )


async def _over_http(
    url: str, key: str, feed: str | None, messages: Iterable[FileMessage], timeout_s: float
) -> AsyncIterator[tuple[Acknowledgement, ...]]:
    answered = 0
    async with HttpClient(key=key, timeout_s=timeout_s) as client:
        for message in messages:
            is_fhir = message.format is Format.FHIR
            target = process_message(url) if is_fhir else url if url.rstrip("/").endswith("/hl7v2") else f"{url.rstrip('/')}/hl7v2"
            headers = (
                {"Content-Type": content_type_of(message.body), "Accept": FHIR_JSON}
                if is_fhir
                else {"Content-Type": _XML if is_xml(message.body) else _ER7}
            )
            try:
                answer = await client.post(target, content=message.body, params={"feed": feed} if feed else None, headers=headers)
            except NotReachedError as error:
                text = f"Cannot reach {target} ({error}); {answered} messages were answered before."
                raise unavailable(text, "Check the address, and that the receiver listens.") from None
            except NoAnswerError as error:
                text = f"No answer to message {answered + 1} ({error}); it is not known whether it was taken."
                raise CommandError(ExitCode.UNKNOWN, text, "Send it again; this service takes a message once.") from None
            answered += 1
            said = outcome(answer, message.body) if is_fhir else None
            yield (said,) if said is not None else _read(answer, answered)


def _read(answer: HttpAnswer, number: int) -> tuple[Acknowledgement, ...]:
    if answer.status == HTTPStatus.NO_CONTENT:
        return ()
    if answer.is_success:
        return (_acknowledgement(answer.body, number),)
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    said = (problem.get("detail") or problem.get("title")) if isinstance(problem, dict) else None
    text = f"Message {number} was answered with HTTP {answer.status}: {said or 'no explanation'}"
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise unavailable(text, "Wait a moment and send the rest again.")
    raise refused(text, _REMEDIES.get(answer.status, _OTHER_REMEDY))


def _acknowledgement(body: bytes, number: int) -> Acknowledgement:
    message = tokenize(body)
    msa = message.first("MSA") if isinstance(message, Er7Message) else None
    if not isinstance(message, Er7Message) or msa is None:
        text = f"The answer to message {number} is no acknowledgement; it is not known whether it was taken."
        raise CommandError(ExitCode.UNKNOWN, text, "Check that the address is that of an HL7 receiver.")
    delimiters, codec = message.delimiters, message.decoded.codec
    errors = tuple((error.raw(2), unescape(error.raw(8), delimiters, codec)) for error in message.all("ERR"))
    return Acknowledgement(msa.raw(1).strip().upper(), msa.raw(2), unescape(msa.raw(3), delimiters, codec), errors, body)
