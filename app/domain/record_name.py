"""What is written where a patient or a stay has no number yet (UNKNOWN, 999999999) names nobody. Pure.

Whoever came under it would be one record: the stays of the one would be told to the home of the other, and a merge of the number would
merge them all. Not here: numbers that two records share (shared_identifier).
"""

from dataclasses import replace
from typing import Final

from app.domain.adt_event import AdtEvent, Identifier, VisitFacts
from app.domain.stand_in import NO_NUMBERS, is_no_number

_FILLERS: Final = frozenset("09X*#?-")
_SSN_DIGITS: Final = 9


def names_nobody(number: Identifier) -> bool:
    """Tell whether a number that should name a record or a stay is a word for none, or all zeros or nines.

    Another repeated digit is somebody's, once in a hundred thousand, unless there are as many as a social security number has.
    """
    value = number.value
    if not is_no_number(value):
        return False
    plain = value.replace("-", "").replace(" ", "")
    return value.upper() in NO_NUMBERS or not plain or plain[0].upper() in _FILLERS or len(plain) >= _SSN_DIGITS


def rightly_named(event: AdtEvent) -> AdtEvent | None:
    """Give the event with numbers that name somebody: a patient without one is named by the number of the stay, which is theirs alone.

    None: there is nothing to name them by, or what is merged, moved or linked is named by no number.
    """
    visit = _rightly_named_stay(event.visit)
    others = (*event.prior_identifiers, *event.other_patient, *((event.parent,) if event.parent else ()))
    others += tuple(one for rename in event.renames for one in (rename.retired, rename.survivor))
    if any(map(names_nobody, others)) or (event.moved_account is not None and names_nobody(event.moved_account)):
        return None
    if not any(map(names_nobody, event.identifiers)):
        return event if visit is event.visit else replace(event, visit=visit)
    identifiers = tuple(one for one in event.identifiers if not names_nobody(one))
    if not identifiers and visit is not None and visit.visit_number is not None and not others:
        # Of a type that names no person: it is the name of the record, and no identifier of the patient's.
        identifiers = (visit.visit_number,)
    return replace(event, identifiers=identifiers, visit=visit) if identifiers else None


def _rightly_named_stay(visit: VisitFacts | None) -> VisitFacts | None:
    if visit is None:
        return None
    number = visit.visit_number if visit.visit_number is None or not names_nobody(visit.visit_number) else None
    account = visit.account if visit.account is None or not names_nobody(visit.account) else None
    if number is visit.visit_number and account is visit.account:
        return visit
    return replace(visit, visit_number=number or account, account=account if number else None)
