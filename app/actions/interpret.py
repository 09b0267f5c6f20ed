"""Room 3: from verbatim bytes to an AdtEvent, or to the reason why not. Pure but for the reader it is given.

A training message or a test patient is interpreted like any other, under names of its own, so that it can never meet a live
person, stay or recipient (issue text: "MSH-11 T/D and test-patient patterns never reach a live recipient").
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from app.domain.adt_event import AdtEvent, Identifier, ProcessingId, Rename
from app.domain.feed import Feed, FeedMode, UnmappedFacility
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.interpreted import NAMED_BY_NO_NUMBER, Held, Interpreted
from app.domain.known import stated
from app.domain.person import TEST_MARK, normalised
from app.domain.record_name import rightly_named
from app.domain.social_security import Pseudonym, veiled
from app.ports import AdtReader

TEST_LAST_NAMES = frozenset({"ZZTEST", "ZZZTEST", "XXTEST", "TESTPATIENT"})
"""Nobody is called so, whatever the first name."""
TEST_NAMES = frozenset({"TEST", "TESTING"})
TEST_FIRST_NAMES = frozenset({"", "TEST", "PATIENT", "ZZTEST", "TESTPATIENT"})
"""With these both names must be of the kind that test patients carry: people called Test exist."""


def interpret(
    message_id: UUID, body: bytes, feed: Feed, reader: AdtReader, pseudonym: Pseudonym, mode: FeedMode | None = None
) -> Held | tuple[list[Interpreted], Sequence[Problem]]:
    """Read the message by its feed's profile, in the mode in which it was received: everything it tells, or the problems.

    A message of an aggregator is read as its facility's; of a facility that nobody has mapped it is held.
    """
    mode = mode or feed.mode
    at = feed.at_facility(reader.facilities(body, feed)) if feed.is_aggregator else feed
    if isinstance(at, UnmappedFacility):
        return Held(at, _unmapped(at, reader.facility_location(body, at.place)))
    event = reader.read(body, at)
    if not isinstance(event, AdtEvent):
        return [], event
    named = [rightly_named(one) for one in event.all]
    told = [veiled(one, pseudonym) for one in named if one is not None]
    if len(told) < len(named):
        # Half of a message done would be seen by nobody.
        return [], (NAMED_BY_NO_NUMBER,)
    tests = [mode is FeedMode.TEST or _is_test(one, at) for one in told]
    return [
        Interpreted(message_id, at, _apart(one) if is_test else one, is_test=is_test, mode=mode)
        for one, is_test in zip(told, tests, strict=True)
    ], ()


def _unmapped(at: UnmappedFacility, location: str) -> Problem:
    if not at.code:
        text = "The message names no facility in any place of the feed's profile (facility_places), so it is not known whose it is."
    else:
        text = "No organization is mapped to this facility: map it (handoff feed map), and the message is read at once."
    return Problem(ProblemCode.UNKNOWN_KEY, Severity.ERROR, location, text)


def _is_test(event: AdtEvent, feed: Feed) -> bool:
    if event.processing_id is not ProcessingId.PRODUCTION and not feed.profile.accept_test_messages:
        return True
    last = normalised(stated(event.person.last_name) or "")
    first = normalised(stated(event.person.first_name) or "")
    return last in TEST_LAST_NAMES | feed.profile.test_patient_last_names or (last in TEST_NAMES and first in TEST_FIRST_NAMES)


def _apart(event: AdtEvent) -> AdtEvent:
    visit = event.visit
    if visit is not None:
        visit = replace(visit, visit_number=_marked_if(visit.visit_number), account=_marked_if(visit.account))
    # The last name is marked too: exact demographics must not join a test record to a live one.
    person = replace(event.person, last_name=f"{TEST_MARK} {stated(event.person.last_name) or ''}")
    return replace(
        event,
        identifiers=tuple(map(_marked, event.identifiers)),
        prior_identifiers=tuple(map(_marked, event.prior_identifiers)),
        renames=tuple(Rename(_marked(one.retired), _marked(one.survivor)) for one in event.renames),
        moved_account=_marked_if(event.moved_account),
        other_patient=tuple(map(_marked, event.other_patient)),
        mothers=tuple(map(_marked, event.mothers)),
        parent=_marked_if(event.parent),
        visit=visit,
        person=person,
        documents=tuple(replace(one, number=_marked_if(one.number), parent=_marked_if(one.parent)) for one in event.documents),
    )


def _marked(identifier: Identifier) -> Identifier:
    # The type goes too: a Medicaid number counts without its authority.
    return Identifier(f"{TEST_MARK}{identifier.authority}", "", identifier.value)


def _marked_if(identifier: Identifier | None) -> Identifier | None:
    return _marked(identifier) if identifier is not None else None
