"""A notification passed on as a forwarding intermediary (DV-10): ids, sender and destination are new, a Provenance says who did what.

Da Vinci Unsolicited Notifications 1.1.0, "Intermediary"; US Core Provenance. Pure. Not here: sending it, and who may be told.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.fhir.bundle import Entry, MessageBundle
from adapters.fhir.values import Json, member, objects, text

_PROVENANCE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance"
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_US_CORE_PARTICIPANT: Final = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_AUTHOR: Final = {"system": _PARTICIPANT, "code": "author"}
_TRANSMITTER: Final = {"system": _US_CORE_PARTICIPANT, "code": "transmitter"}
_ASSEMBLER: Final = {"system": _PARTICIPANT, "code": "assembler"}


@dataclass(frozen=True, slots=True)
class Intermediary:
    """Who passes it on."""

    name: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One passing on."""

    by: Intermediary
    destination: str
    """The endpoint of the next recipient."""
    at: datetime
    new_id: Callable[[], str]
    """Gives UUIDs."""


def forwarded(bundle: MessageBundle, hop: Hop, leave_out: frozenset[str] = frozenset()) -> Json | None:
    """Give the message as it is passed on, without the resources of some types; None where there is no MessageHeader to speak of.

    The focus and the patient's resource stay whatever is left out: without them it would be no notification.
    """
    header = bundle.header
    if header is None:
        return None
    document = deepcopy(bundle.document)
    kept = [one for one in objects(document["entry"]) if not _goes(one, leave_out)]
    is_changed = len(kept) < len(document["entry"])
    header_id, sender_id, provenance_id = hop.new_id(), hop.new_id(), hop.new_id()
    head = kept[0]["resource"]
    agents = _agents(head, is_changed=is_changed, sender=_urn(sender_id))
    head |= {
        "id": header_id,
        "source": {"name": hop.by.name, "endpoint": hop.by.endpoint},
        "sender": {"reference": _urn(sender_id), "display": hop.by.name},
        "destination": [{"endpoint": hop.destination}],
    }
    kept[0]["fullUrl"] = _urn(header_id)
    # What pointed at the header, such as the Provenance of an earlier hop, points at the one that took its place.
    _repoint(kept, _names_of(header), _urn(header_id))
    sender = {"resourceType": "Organization", "id": sender_id, "active": True, "name": hop.by.name}
    provenance = {
        "resourceType": "Provenance",
        "id": provenance_id,
        "meta": {"profile": [_PROVENANCE]},
        "target": [{"reference": _urn(header_id)}],
        "recorded": hop.at.isoformat(),
        "activity": {"coding": [{"system": _LIFECYCLE, "code": "amend" if is_changed else "transmit"}]},
        "agent": agents,
    }
    added = [(provenance_id, provenance), (sender_id, sender)]
    entries = [kept[0], *({"fullUrl": _urn(number), "resource": one} for number, one in added), *kept[1:]]
    return {**document, "id": hop.new_id(), "timestamp": hop.at.isoformat(), "entry": entries}


def _goes(entry: Json, leave_out: frozenset[str]) -> bool:
    return text(member(entry, "resource", "resourceType")) in leave_out - {"MessageHeader", "Encounter", "Patient"}


def _urn(number: str) -> str:
    return f"urn:uuid:{number}"


def _agents(head: Json, *, is_changed: bool, sender: str) -> list[Json]:
    """Say who it is from and who passes it on. US Core asks on whose behalf, where it is no organization itself."""
    first = head.get("sender") or head.get("responsible") or {"display": text(member(head, "source", "name")) or "Unknown"}
    author = head.get("author")
    original: Json = {"type": {"coding": [_AUTHOR]}, "who": author or first}
    if author is not None:
        original["onBehalfOf"] = first
    return [original, {"type": {"coding": [_ASSEMBLER if is_changed else _TRANSMITTER]}, "who": {"reference": sender}}]


def _names_of(header: Entry) -> frozenset[str]:
    number = text(header.resource.get("id"))
    return frozenset({header.full_url, f"MessageHeader/{number}", _urn(number)}) - {""}


def _repoint(value: Any, old: frozenset[str], new: str) -> None:  # noqa: ANN401 - any JSON value
    ahead = [value]
    while ahead:
        one = ahead.pop()
        if isinstance(one, dict):
            if isinstance(one.get("reference"), str) and one["reference"] in old:
                one["reference"] = new
            ahead.extend(one.values())
        elif isinstance(one, list):
            ahead.extend(one)
