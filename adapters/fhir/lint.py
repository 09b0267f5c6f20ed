"""Advice about one message for the person who builds its interface: every problem, and which must-support elements are missing.

Advice never repeats a value, and never decides anything (DV-11). For `handoff lint`, off the hot path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.fhir.bundle import MessageBundle, ReadJson, read_bundle
from adapters.fhir.codes import NOTIFICATION_EVENT
from adapters.fhir.reader import FhirReader
from adapters.fhir.structure import encounter_of, event_of, patient_of
from adapters.fhir.values import member
from app.domain.feed import Feed
from app.domain.inbound import Problem, ProblemCode, Severity

FINDINGS_MAX: Final = 200
_ADVISED: Final[Mapping[str, tuple[str, ...]]] = {
    "MessageHeader": ("sender", "responsible"),
    "Encounter": ("identifier", "type", "location", "participant", "period.start", "serviceProvider"),
    "Patient": ("name", "gender", "birthDate"),
}
"""Must-support elements of Da Vinci's and US Core's profiles that a recipient misses most, the three names of COP-1 among them."""
_AT_DISCHARGE: Final = ("period.end", "hospitalization.dischargeDisposition")


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a piece of advice, and its place in the words of the standard, such as Patient.gender."""

    name: str
    problem: Problem


def lint(body: bytes, feed: Feed, read_json: ReadJson) -> tuple[Finding, ...]:
    """Give every problem and piece of advice, worst first. Nothing is raised, whatever the bytes are."""
    reader = FhirReader(read_json)
    header = reader.header(body)
    if header.fault is not None:
        return (Finding("Bundle", header.fault),)
    found = list(reader.notes(body, feed) if reader.is_supported(header.trigger) else reader.problems(body, header, feed))
    bundle = read_bundle(body, read_json)
    if isinstance(bundle, MessageBundle):
        found += _advice(bundle)
    order = list(Severity)
    found.sort(key=lambda one: order.index(one.severity))
    return tuple(Finding(_name(bundle, one.location), one) for one in found[:FINDINGS_MAX])


def _advice(bundle: MessageBundle) -> Iterator[Problem]:
    if not member(bundle.document, "meta", "profile"):
        yield _advise("Bundle.meta.profile", "Da Vinci's notifications-bundle asks for its profile here (DV-2); it is not looked at.")
    system, event = event_of(bundle)
    for entry in (bundle.header, encounter_of(bundle), patient_of(bundle)):
        if entry is None:
            continue
        names = _ADVISED.get(entry.type, ())
        if entry.type == "Encounter" and (system, event) == (NOTIFICATION_EVENT, "notification-discharge"):
            names += _AT_DISCHARGE
        for name in names:
            *above, last = name.split(".")
            if member(entry.resource, *above, last) is None and member(entry.resource, *above, f"_{last}") is None:
                yield _advise(f"{entry.path}.{name}", "Must be supported; recipients miss it. It may be left out (DV-11).")


def _advise(location: str, text: str) -> Problem:
    return Problem(ProblemCode.REQUIRED_FIELD_MISSING, Severity.INFORMATION, location, text)


def _name(bundle: MessageBundle | Problem, location: str) -> str:
    if isinstance(bundle, MessageBundle):
        for entry in bundle.entries:
            if location == entry.path or location.startswith((f"{entry.path}.", f"{entry.path}[")):
                return f"{entry.type}{location.removeprefix(entry.path)}"
    return location
