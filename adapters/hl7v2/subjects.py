"""Whom a message is about, for the events that name more than one record (C.6): merges, moves, changes of numbers, links, swaps.

A message may hold several groups: PID MRG [PV1] PID MRG ..., PID PV1 PID PV1 (A17), PID PID (A24), PID MRG PV1 MRG PV1 (A45). Each
becomes an event of its own. What is told plainly but must be looked at by a person first is held: taken, set aside, and nothing changes.
Not here: the events about one patient (`acceptance`), and what follows from any of them (domain).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.people import identifier, identifiers, local_identifiers, patient_identifiers, prior_identifiers
from adapters.hl7v2.reading import NULL, Reading
from app.domain.adt_event import Identifier, Rename
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.trigger import DELETING, LINKING, RENAMING, RETIRING, Trigger

_MOVING = frozenset({Trigger.MOVE_PATIENT, Trigger.MOVE_ACCOUNT, Trigger.MOVE_VISIT})
OF_SEVERAL = frozenset({*RETIRING, *RENAMING, *LINKING, *_MOVING, *DELETING, Trigger.SWAP})
"""The triggers whose patients are found here."""

_ACCOUNTS = frozenset({Trigger.MERGE_ACCOUNT_ONLY, Trigger.MERGE_ACCOUNT, Trigger.CHANGE_ACCOUNT})
_VISITS = frozenset({Trigger.MERGE_VISIT, Trigger.CHANGE_VISIT})


@dataclass(frozen=True, slots=True)
class Subject:
    """One patient, and what the event does to the numbers."""

    pid: Segment
    identifiers: tuple[Identifier, ...]
    prior_identifiers: tuple[Identifier, ...] = ()
    pv1: Segment | None = None
    renames: tuple[Rename, ...] = ()
    moved_account: Identifier | None = None
    moved_visit: Identifier | None = None
    other_patient: tuple[Identifier, ...] = ()
    parent: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Subjects:
    """Everything a message is about, what stands in the way, and why it is held if it is."""

    found: tuple[Subject, ...] = ()
    problems: tuple[Problem, ...] = ()
    held: Problem | None = None


@dataclass(slots=True)
class _Group:
    pid: Segment
    mrg: Segment | None = None
    pv1: Segment | None = None


def subjects_of(reading: Reading, trigger: str) -> Subjects:
    """Find whom the event is about."""
    groups = _groups(reading.message)
    if not groups:
        return Subjects(problems=(_error(ProblemCode.SEGMENT_SEQUENCE, "PID^1", "The PID segment is missing."),))
    named = [_identifiers(reading, group.pid) for group in groups]
    nameless = [group.pid for group, ids in zip(groups, named, strict=True) if not ids]
    if nameless:
        text = "PID-3 needs an identifier of the person; account and visit numbers do not name one."
        return Subjects(problems=tuple(_error(ProblemCode.REQUIRED_FIELD_MISSING, pid.location(3), text) for pid in nameless))
    if trigger in DELETING:
        return Subjects(held=_held("PID^1", f"An {trigger} asks to delete. Nothing is deleted here; a person has to decide what it means."))
    if trigger in LINKING:
        return _linked(groups, named)
    if trigger == Trigger.SWAP:
        return _swapped(groups, named)
    found: list[Subject] = []
    problems: list[Problem] = []
    for group, ids in zip(groups, named, strict=True):
        subject = _subject(reading, trigger, group, ids)
        if isinstance(subject, Subject):
            found.append(subject)
        elif subject.severity is Severity.ERROR:
            problems.append(subject)
        else:
            # A message is held as a whole: half of it done would be seen by nobody.
            return Subjects(held=subject)
    return Subjects(tuple(found), tuple(problems))


def _identifiers(reading: Reading, pid: Segment) -> tuple[Identifier, ...]:
    reading.about(pid)
    return (*patient_identifiers(reading, pid), *local_identifiers(reading))


def _groups(message: Er7Message) -> list[_Group]:
    groups: list[_Group] = []
    for segment in message.segments():
        if segment.name == "PID":
            groups.append(_Group(segment))
        elif segment.name in {"MRG", "PV1"} and groups:
            last = groups[-1]
            if segment.name == "MRG" and last.mrg is not None:
                # The next visit (A45), or account, of the same patient.
                groups.append(_Group(last.pid, segment))
            elif segment.name == "MRG":
                last.mrg = segment
            elif last.pv1 is None:
                last.pv1 = segment
    return groups


def _linked(groups: Sequence[_Group], named: Sequence[tuple[Identifier, ...]]) -> Subjects:
    """Read the two patients of an A24 or A37, each seen from the other."""
    if len(groups) < 2:  # noqa: PLR2004 -- a link has two ends
        return Subjects(problems=(_error(ProblemCode.SEGMENT_SEQUENCE, "PID^2", "The second PID is missing; it names the other patient."),))
    ends = ((0, 1), (1, 0))
    return Subjects(tuple(Subject(groups[one].pid, named[one], other_patient=named[other]) for one, other in ends))


def _swapped(groups: Sequence[_Group], named: Sequence[tuple[Identifier, ...]]) -> Subjects:
    """Read each patient of an A17 at the place where they are now; one whose place is left out stays where they were."""
    if all(group.pv1 is None for group in groups):
        text = "The PV1 segment is missing; without it nobody's new place is known."
        return Subjects(problems=(_error(ProblemCode.SEGMENT_SEQUENCE, "PV1^1", text),))
    return Subjects(
        tuple(Subject(group.pid, ids, pv1=group.pv1) for group, ids in zip(groups, named, strict=True) if group.pv1 is not None)
    )


def _subject(reading: Reading, trigger: str, group: _Group, ids: tuple[Identifier, ...]) -> Subject | Problem:
    pid, mrg = group.pid, group.mrg
    if mrg is None:
        at = "MRG^1" if pid.sequence == 1 else f"MRG^{pid.sequence}"
        return _error(ProblemCode.SEGMENT_SEQUENCE, at, "The MRG segment is missing; it names the record or number that is retired.")
    if trigger == Trigger.MOVE_PATIENT:
        return _moved_patient(reading, group, mrg, ids)
    if trigger == Trigger.MOVE_ACCOUNT:
        return _moved_account(reading, pid, mrg, ids)
    if trigger == Trigger.MOVE_VISIT:
        return _moved_visit(reading, group, mrg, ids)
    renames = _renames(reading, trigger, group, mrg)
    if isinstance(renames, Problem):
        return renames
    prior: tuple[Identifier, ...] = ()
    if trigger in RETIRING:
        named = prior_identifiers(reading, mrg)
        if not named:
            return _error(ProblemCode.REQUIRED_FIELD_MISSING, mrg.location(1), "MRG-1 needs the identifier that is retired.")
        prior = _of_one_authority(reading, mrg, named, ids)
        if not prior and not set(named) <= set(ids):
            text = (
                "MRG-1 and PID-3 are of different assigning authorities; a person has to decide whether one record is retired by another's."
            )
            return _held(mrg.location(1), text)
    return Subject(pid, ids, prior, renames=renames)


def _of_one_authority(reading: Reading, mrg: Segment, prior: Sequence[Identifier], ids: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """Leave the retired ids that PID-3 has a survivor for: of the same authority, and of the same type where it has one (C.6, A40).

    The feed's own authority counts as one of them: it retires its own numbers as it likes, and often leaves its name out.
    """
    feeds_own = reading.feed.assigning_authority.upper()
    authorities = {one.authority for one in ids}
    if feeds_own not in authorities and not _names_an_authority(reading, mrg):
        # Written without an authority, beside a PID-3 that writes it: the same is meant.
        prior = [Identifier(ids[0].authority, one.type, one.value) for one in prior]
    retired = [one for one in prior if one not in ids and one.authority in {*authorities, feeds_own}]
    types = {(one.authority, one.type) for one in ids}
    of_type = [one for one in retired if not one.type or (one.authority, one.type) in types]
    return tuple(of_type or retired)


def _names_an_authority(reading: Reading, mrg: Segment) -> bool:
    return any(
        reading.stated(part)
        for field in (1, 4)
        for repetition in mrg.repetitions(field)
        for part in repetition.split(mrg.delimiters.component)[3:4]
    )


def _renames(reading: Reading, trigger: str, group: _Group, mrg: Segment) -> tuple[Rename, ...] | Problem:
    """Read which number of an account or a visit goes on as which."""
    account = _rename(reading, mrg, 3, group.pid, 18, "AN")
    if trigger in {Trigger.MERGE_INFORMATION, Trigger.MERGE_PATIENT_AND_ACCOUNT}:
        return (account,) if account is not None else ()
    if trigger in _ACCOUNTS:
        text = "MRG-3 and PID-18 need the account number that is retired and the one that goes on."
        return (account,) if account is not None else _error(ProblemCode.REQUIRED_FIELD_MISSING, mrg.location(3), text)
    pv1 = group.pv1
    visit = _rename(reading, mrg, 5, pv1, 19, "VN") if trigger in _VISITS else None
    visit = visit or (_rename(reading, mrg, 6, pv1, 50, "VN") if trigger in {*_VISITS, Trigger.CHANGE_ALTERNATE_VISIT} else None)
    if visit is not None:
        return (visit,)
    if trigger in {*_VISITS, Trigger.CHANGE_ALTERNATE_VISIT}:
        retired, goes_on = ("MRG-6", "PV1-50") if trigger == Trigger.CHANGE_ALTERNATE_VISIT else ("MRG-5", "PV1-19")
        text = f"{retired} and {goes_on} need the visit number that is retired and the one that goes on."
        return _error(ProblemCode.REQUIRED_FIELD_MISSING, mrg.location(int(retired[-1])), text)
    return ()


def _rename(reading: Reading, mrg: Segment, retired_at: int, other: Segment | None, survivor_at: int, kind: str) -> Rename | None:
    if other is None:
        return None
    survivor = identifier(reading, other, survivor_at, other.first(survivor_at), kind)
    raw = mrg.first(retired_at)
    retired = identifier(reading, mrg, retired_at, raw, kind)
    if survivor is None or retired is None or raw == NULL:
        return None
    if not any(map(reading.stated, raw.split(mrg.delimiters.component)[3:4])):
        retired = Identifier(survivor.authority, kind, retired.value)
    return Rename(retired, survivor)


def _moved_patient(reading: Reading, group: _Group, mrg: Segment, ids: tuple[Identifier, ...]) -> Subject | Problem:
    """A43: PID-3 and MRG-1 name the record that moves, PID-2 the patient it goes to, MRG-4 the one it leaves (HL7 2.5.1, 3.3.43)."""
    moving = identifiers(reading, mrg, 1)
    to, away_from = identifiers(reading, group.pid, 2), identifiers(reading, mrg, 4)
    if moving[:1] != ids[:1] or not to or to[0] in ids:
        text = "An A43 names the moving record in PID-3 and MRG-1 alike, and in PID-2 the patient it goes to; a person has to look at this."
        return _held(mrg.location(1), text)
    return Subject(group.pid, ids[:1], parent=to[0], other_patient=away_from)


def _moved_account(reading: Reading, pid: Segment, mrg: Segment, ids: tuple[Identifier, ...]) -> Subject | Problem:
    """A44: the account of PID-18 (MRG-3 is the same, or its old number) goes to the patient of PID-3."""
    rename = _rename(reading, mrg, 3, pid, 18, "AN")
    account = identifier(reading, pid, 18, pid.first(18), "AN") or identifier(reading, mrg, 3, mrg.first(3), "AN")
    if account is None:
        return _error(ProblemCode.REQUIRED_FIELD_MISSING, pid.location(18), "PID-18 (or MRG-3) needs the account that is moved.")
    renames = (rename,) if rename is not None and rename.retired != rename.survivor else ()
    return Subject(pid, ids, renames=renames, moved_account=account)


def _moved_visit(reading: Reading, group: _Group, mrg: Segment, ids: tuple[Identifier, ...]) -> Subject | Problem:
    """A45: the visit of PV1-19 (MRG-5 is the same, or its old number) goes to the patient of PID-3."""
    rename = _rename(reading, mrg, 5, group.pv1, 19, "VN")
    visit = identifier(reading, group.pv1, 19, group.pv1.first(19), "VN") if group.pv1 is not None else None
    visit = visit or identifier(reading, mrg, 5, mrg.first(5), "VN")
    if visit is None:
        # Some feeds name their stays by the account alone.
        return _moved_account(reading, group.pid, mrg, ids)
    renames = (rename,) if rename is not None and rename.retired != rename.survivor else ()
    return Subject(group.pid, ids, renames=renames, moved_visit=visit)


def _error(code: ProblemCode, location: str, text: str) -> Problem:
    return Problem(code, Severity.ERROR, location, text)


def _held(location: str, text: str) -> Problem:
    """Say why a person has to look. No error of the sender's: the message is taken."""
    return Problem(ProblemCode.ACCEPTED, Severity.WARNING, location, text)
