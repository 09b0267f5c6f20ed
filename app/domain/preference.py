"""What a recipient wishes to be told of. A wish is a ledger reason; it never removes a clock-starting discharge from the worklist.

Default (issue text, "Who is told what"): emergency, observation and inpatient events are told; outpatient, recurring and
pre-admission events, and events at the recipient's own facility, only on request. A class that nobody knows is told: a gap in coding
must not hide a discharge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

ON_REQUEST_CLASSES = frozenset({"outpatient", "recurring", "preadmit"})


@dataclass(frozen=True, slots=True)
class Question:
    """What a recipient would be told of."""

    events: frozenset[str]
    """What the event may be called: the last word of its type, and its kind where that says more."""
    encounter_class: str
    programs: frozenset[str]
    """Upper case: as the panel names them, and the ids of those that are known."""
    facility_id: UUID | None
    recipient_id: UUID


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether it is wanted, and why."""

    wanted: bool
    reason: str


def wished(rules: Sequence[Mapping[str, Any]], question: Question) -> Wish:
    """Decide by the recipient's own rules, the first that fits; else by the default.

    A rule is `{"event_types"?: [...], "classes"?: [...], "programs"?: [...], "facilities"?: [...], "tell": bool}`; an absent
    list fits everything. Event types may be given with or without the leading `encounter.`.
    """
    for position, rule in enumerate(rules):
        if _fits(rule, question):
            return Wish(wanted=bool(rule["tell"]), reason=f"the recipient's preference {position + 1}")
    if question.facility_id == question.recipient_id:
        return Wish(wanted=False, reason="an event at the recipient's own facility is told only on request")
    if question.encounter_class in ON_REQUEST_CLASSES:
        return Wish(wanted=False, reason=f"{question.encounter_class} events are told only on request")
    return Wish(wanted=True, reason=f"{question.encounter_class} events are told by default")


def _fits(rule: Mapping[str, Any], question: Question) -> bool:
    events = {str(kind).rpartition(".")[2] for kind in rule.get("event_types") or ()}
    facilities = {str(facility).rpartition("_")[2].replace("-", "") for facility in rule.get("facilities") or ()}
    return (
        (not events or not events.isdisjoint(question.events))
        and (not rule.get("classes") or question.encounter_class in rule["classes"])
        and (not rule.get("programs") or bool(question.programs & {str(item).upper() for item in rule["programs"]}))
        and (not facilities or (question.facility_id is not None and question.facility_id.hex in facilities))
    )
