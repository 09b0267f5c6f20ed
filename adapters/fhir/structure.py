"""What a notification must be (DV-2, DV-3, DV-5, DV-6, DV-13), and the codes and reference targets that the models do not check.

Everything of severity E found here stops the message, and nothing else does. A must-support element that is missing or says why it is
absent never does (DV-11). Not here: shapes and types of single elements (`models`), and what a message means (`reader`).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from adapters.fhir.bundle import Entry, MessageBundle, error
from adapters.fhir.codes import (
    ALTERNATE_REFERENCE,
    DA_VINCI_EVENTS,
    DOCUMENT_EVENTS,
    EVENTS,
    NOTIFICATION_EVENT,
    REQUIRED_CODES,
    STAY_EVENTS,
    TARGETS,
)
from adapters.fhir.models import envelope_problems, model_problems
from adapters.fhir.resource_types import R4, READ
from adapters.fhir.times import read_date, read_instant
from adapters.fhir.values import Json, member, objects, says_absent, text
from app.domain.inbound import Problem, ProblemCode, Severity

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ENTRIES_MIN = 2
_NOT_IN_A_MESSAGE = ("search", "request", "response")
_RELATIVE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/.*)?")
_DATES = {
    "Patient": ("birthDate", "deceasedDateTime"),
    "DocumentReference": ("date",),
    "Encounter": ("period.start", "period.end", "location.period.start", "classHistory.period.start"),
}
NAME_CHARACTERS_MAX = 250
"""Our policy: HL7 2.5.1 gives a CX 250 characters. What names people and stays is looked up, so it has a limit; no other text has."""
_IDENTIFIER = ("identifier.value", "identifier.system")
_NAMES = {
    "Patient": _IDENTIFIER,
    "Encounter": _IDENTIFIER,
    "Coverage": (*_IDENTIFIER, "subscriberId", "payor.display"),
    "DocumentReference": (*_IDENTIFIER, "masterIdentifier.value", "masterIdentifier.system"),
}
_OF_OTHERS = frozenset({"entry", "resource", "contained", "extension"})
"""Not part of the resource itself, or read by nobody: what modifies them modifies nothing that is read."""
_PARTIAL = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")


def event_of(bundle: MessageBundle) -> tuple[str, str]:
    """Give (system, code) of the event."""
    said = member(bundle.header.resource, "eventCoding") if bundle.header else None
    return text(member(said, "system")), text(member(said, "code"))


def focused(bundle: MessageBundle) -> list[Entry]:
    """Give the focus of the message as far as it is in the bundle."""
    header = bundle.header
    if header is None:
        return []
    return [entry for one in objects(header.resource.get("focus")) if (entry := bundle.find(one, header.resource)) is not None]


def encounter_of(bundle: MessageBundle) -> Entry | None:
    """Give the stay that the message is about: the focus itself, else the encounter that the focus is of."""
    focus = focused(bundle)
    direct = next((entry for entry in focus if entry.type == "Encounter"), None)
    if direct is not None:
        return direct
    behind = (bundle.find(entry.resource.get("encounter"), entry.resource) for entry in focus)
    return next((entry for entry in behind if entry is not None and entry.type == "Encounter"), None)


def patient_of(bundle: MessageBundle) -> Entry | None:
    """Give the patient: of the stay, else the focus itself, else whom the focus is about."""
    encounter = encounter_of(bundle)
    for entry in [*([encounter] if encounter is not None else []), *focused(bundle)]:
        if entry.type == "Patient":
            return entry
        for name in ("subject", "beneficiary", "patient"):
            found = bundle.find(entry.resource.get(name), entry.resource)
            if found is not None and found.type == "Patient":
                return found
    return None


def structure_problems(bundle: MessageBundle) -> list[Problem]:
    """Check everything that decides acceptance; the first group of rules that objects ends it, for the next would only repeat it."""
    if bundle.faults:
        return list(bundle.faults)
    for check in _CHECKS:
        found = list(check(bundle))
        if any(problem.severity is Severity.ERROR for problem in found):
            return found
    return []


def warnings(bundle: MessageBundle) -> list[Problem]:
    """Note must-support references that lead nowhere (DV-3, DV-5): they are read as if they were not there.

    And what nothing leads to from the focus (DV-6). It refuses nothing: a must-support element that may be missing (DV-11) leaves
    behind what it would have referred to, and a discharge is not lost over what nobody asked for.
    """
    sentence = "No reference leads from the focus to this resource, or back; refer to it, or leave it out (DV-6)."
    found = [
        Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.WARNING, entry.path, sentence)
        for entry in bundle.entries
        if entry.index in bundle.unreached
    ]
    for entry in bundle.entries:
        for path in TARGETS.get(entry.type, ()):
            for place, reference in _at(entry.resource, path, entry.path):
                if text(member(reference, "reference")) and bundle.find(reference, entry.resource) is None:
                    sentence = "The resource is not in the bundle; what it would say is not known."
                    found.append(Problem(ProblemCode.UNKNOWN_KEY, Severity.WARNING, place, sentence))
    return found


def _bundle(bundle: MessageBundle) -> Iterator[Problem]:
    """DV-2."""
    document = bundle.document
    if _ID.fullmatch(text(document.get("id"))) is None:
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, "Bundle.id", "A message needs an id of letters, digits, - and . (DV-2).")
    if document.get("type") != "message":
        yield error(ProblemCode.TABLE_VALUE, "Bundle.type", "Expected message (DV-2).")
    if read_instant(document.get("timestamp")) is None:
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, "Bundle.timestamp", "Expected an instant such as 2026-01-05T14:30:00-05:00 (DV-2).")
    if "total" in document:
        yield error(ProblemCode.SEGMENT_SEQUENCE, "Bundle.total", "A message has no total (DV-2).")
    listed = document.get("entry")
    entries = listed if isinstance(listed, list) else []
    if len(entries) < _ENTRIES_MIN:
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, "Bundle.entry", "Expected a MessageHeader and what it is about (DV-2).")
    for index, entry in enumerate(entries):
        path = f"Bundle.entry[{index}]"
        if text(member(entry, "resource", "resourceType")) not in R4:
            yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{path}.resource", "Every entry of a message is a resource.")
        for name in _NOT_IN_A_MESSAGE:
            if isinstance(entry, dict) and name in entry:
                yield error(ProblemCode.SEGMENT_SEQUENCE, f"{path}.{name}", "A message has no such part in its entries (DV-2).")
    if entries and bundle.header is None:
        yield error(ProblemCode.SEGMENT_SEQUENCE, "Bundle.entry[0].resource", "Expected the MessageHeader first (DV-2).")
    yield from _repeated(bundle)
    yield from _modifiers(document, "Bundle")


def _envelope(bundle: MessageBundle) -> Iterator[Problem]:
    """Check what stands around the resources, after what DV-2 says of it in its own words."""
    yield from envelope_problems(bundle.document)


def _modifiers(resource: Json, place: str) -> Iterator[Problem]:
    """Refuse what may turn the meaning of a resource round (FHIR R4, 2.1.0.9 and Resource.implicitRules): nobody here understands it."""
    if "implicitRules" in resource:
        yield error(ProblemCode.SEGMENT_SEQUENCE, f"{place}.implicitRules", "No implicit rules are known here; what has some is not read.")
    ahead: list[tuple[Any, str]] = [(resource, place)]
    while ahead:
        value, path = ahead.pop()
        for name, item in value.items():
            here = f"{path}.{name}"
            if name == "modifierExtension":
                yield error(ProblemCode.SEGMENT_SEQUENCE, here, "No modifier extension is known here; what has one is not read.")
            elif name in _OF_OTHERS:
                continue
            elif isinstance(item, dict):
                ahead.append((item, here))
            elif isinstance(item, list):
                ahead.extend((one, f"{here}[{index}]") for index, one in enumerate(item) if isinstance(one, dict))


def _repeated(bundle: MessageBundle) -> Iterator[Problem]:
    headers, seen = 0, set()
    for entry in bundle.entries:
        headers += entry.type == "MessageHeader"
        if headers > 1 and entry.type == "MessageHeader":
            yield error(ProblemCode.SEGMENT_SEQUENCE, entry.path, "There is a second MessageHeader: send one notification a message.")
        if entry.full_url and entry.full_url in seen:
            yield error(ProblemCode.DUPLICATE_KEY, f"Bundle.entry[{entry.index}].fullUrl", "Two entries have this fullUrl (bdl-7).")
        seen.add(entry.full_url)


def _event(bundle: MessageBundle) -> Iterator[Problem]:
    """DV-3, DV-4."""
    header = bundle.header
    if header is None:
        return
    place = f"{header.path}.eventCoding"
    system, code = event_of(bundle)
    if not code or not system:
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, place, "Expected system and code of the event; eventUri is not read (DV-3).")
    elif system == NOTIFICATION_EVENT and code not in DA_VINCI_EVENTS:
        yield error(ProblemCode.TABLE_VALUE, f"{place}.code", "This is no code of Da Vinci's notification-event (DV-4).")
    elif system != NOTIFICATION_EVENT and (system, code) not in EVENTS:
        yield error(ProblemCode.UNSUPPORTED_EVENT, place, "This event is not taken here; GET /fhir/metadata lists those that are.")
    if "response" in header.resource:
        yield error(ProblemCode.SEGMENT_SEQUENCE, f"{header.path}.response", "A notification is no response (DV-3).")


def _header(bundle: MessageBundle) -> Iterator[Problem]:
    """DV-3: id, focus and who is responsible."""
    header = bundle.header
    if header is None:
        return
    if not text(header.resource.get("id")):
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{header.path}.id", "The MessageHeader needs an id (DV-3).")
    focus = objects(header.resource.get("focus"))
    if not focus:
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{header.path}.focus", "The message needs a focus (DV-3).")
    for index, one in enumerate(focus):
        if bundle.find(one, header.resource) is None:
            place = f"{header.path}.focus[{index}].reference"
            yield error(ProblemCode.SEGMENT_SEQUENCE, place, "The focus has to be a resource of this bundle (DV-3).")
    if len(objects(header.resource.get("destination"))) > 1:
        yield error(ProblemCode.SEGMENT_SEQUENCE, f"{header.path}.destination[1]", "A notification has one destination (DV-3).")
    responsible = header.resource.get("responsible")
    if isinstance(responsible, dict) and not text(responsible.get("reference")) and not _stands_in(responsible):
        place = f"{header.path}.responsible.reference"
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, place, "Who is responsible has to be a resource of this bundle (DV-3).")


def _stands_in(reference: Json) -> bool:
    """Whether a Device stands there by an extension (DV-3), or the reference says why it is absent (DV-11)."""
    urls = {text(one.get("url")) for one in objects(reference.get("extension"))}
    return ALTERNATE_REFERENCE in urls or says_absent(reference) or says_absent(reference.get("_reference"))


def _resources(bundle: MessageBundle) -> Iterator[Problem]:
    """Check what the models, the required codes and the dates say about every resource that is read."""
    for entry in bundle.entries:
        found = model_problems(entry)
        yield from found
        if not found:
            yield from _codes(entry)
            yield from _dates(entry)
            yield from _lengths(entry)
            yield from _modifiers(entry.resource, entry.path) if entry.type in READ else ()
            yield from _targets(bundle, entry)


def _codes(entry: Entry) -> Iterator[Problem]:
    for path, allowed in REQUIRED_CODES.get(entry.type, {}).items():
        for place, value in _at(entry.resource, path, entry.path):
            if value not in allowed:
                yield error(ProblemCode.TABLE_VALUE, place, f"FHIR R4 requires one of {', '.join(sorted(allowed))}.")


def _dates(entry: Entry) -> Iterator[Problem]:
    """Refuse numbers in place of dates, and days that do not exist: the models let both pass."""
    for path in _DATES.get(entry.type, ()):
        for place, value in _at(entry.resource, path, entry.path):
            if not isinstance(value, str) or not (read_instant(value) or read_date(value) or _PARTIAL.fullmatch(value)):
                yield error(ProblemCode.DATA_TYPE, place, "Expected a date that exists, with an offset where it has a time (HL7-5).")


def _lengths(entry: Entry) -> Iterator[Problem]:
    for path in _NAMES.get(entry.type, ()):
        for place, value in _at(entry.resource, path, entry.path):
            if isinstance(value, str) and len(value) > NAME_CHARACTERS_MAX:
                yield error(
                    ProblemCode.DATA_TYPE, place, f"Expected at most {NAME_CHARACTERS_MAX} characters in what names a person or stay."
                )


def _targets(bundle: MessageBundle, entry: Entry) -> Iterator[Problem]:
    """Refuse references to another kind of resource, whether it is in the bundle or only named."""
    for path, allowed in TARGETS.get(entry.type, {}).items():
        for place, reference in _at(entry.resource, path, entry.path):
            found = bundle.find(reference, entry.resource)
            named = _RELATIVE.fullmatch(text(member(reference, "reference")))
            kind = found.type if found is not None else named[1] if named is not None and named[1] in R4 else None
            said = text(member(reference, "type"))
            if (kind is not None and kind not in allowed) or (said in R4 and said not in allowed):
                yield error(ProblemCode.TABLE_VALUE, f"{place}.reference", f"Expected a reference to {' or '.join(sorted(allowed))}.")


def _about(bundle: MessageBundle) -> Iterator[Problem]:
    """DV-5, DV-13: the stay and the person, as far as the event needs them."""
    event = event_of(bundle)
    header = bundle.header
    if header is None or event not in EVENTS:
        return
    encounter = encounter_of(bundle)
    if event in STAY_EVENTS:
        if encounter is None:
            yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{header.path}.focus", "The focus has to lead to an Encounter (DV-5).")
            return
        kind = encounter.resource.get("class")
        if not text(member(kind, "code")) and not says_absent(kind) and not says_absent(member(kind, "_code")):
            yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{encounter.path}.class.code", "The Encounter needs a class (DV-5).")
    if event in DOCUMENT_EVENTS and not bundle.of_type("DocumentReference"):
        sentence = "The message needs a DocumentReference: it says which document this is about."
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, f"{header.path}.focus", sentence)
    patients = bundle.of_type("Patient")
    patient = patient_of(bundle)
    if patient is None:
        place = f"{encounter.path}.subject" if encounter is not None else f"{header.path}.focus"
        yield error(ProblemCode.REQUIRED_FIELD_MISSING, place, "The patient has to be a resource of this bundle (DV-5).")
    elif len(patients) > 1:
        yield error(ProblemCode.SEGMENT_SEQUENCE, patients[1].path, "A notification is about one patient (DV-13).")


def _at(resource: Json, path: str, place: str) -> Iterator[tuple[str, Any]]:
    """Find every value at a path, through lists, with its place."""
    name, _, rest = path.partition(".")
    value = resource.get(name)
    if value is None:
        return
    listed = isinstance(value, list)
    for index, item in enumerate(value if listed else [value]):
        here = f"{place}.{name}[{index}]" if listed else f"{place}.{name}"
        if not rest:
            yield here, item
        elif isinstance(item, dict):
            yield from _at(item, rest, here)


_CHECKS: tuple[Callable[[MessageBundle], Iterator[Problem]], ...] = (_bundle, _envelope, _event, _header, _resources, _about)
