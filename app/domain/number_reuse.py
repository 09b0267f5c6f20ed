"""Does a message give a known record's number to somebody else: a number used again, or a newborn under the mother's number.

A correction changes a field or two, and is followed; a marriage changes a name, and who could not say who they were has a stand-in for
one. Only what no correction does is doubted. Not here: what is done with such a message (pipeline), or with two records that share a
number (shared_identifier).
"""

from datetime import date
from typing import Final

from app.domain.comparison import agreements
from app.domain.comparison_weights import Field, Outcome, Weights
from app.domain.features import Features
from app.domain.newborn import NEWLY_BORN

MOTHER_YEARS: Final = 11
"""Our policy: nobody so much older than a newborn is another newborn."""


def is_another_person(known: Features, said: Features, on: date, weights: Weights) -> bool:
    """Tell whether what is said on a day is plainly of somebody else than what is known: other names, another birth date, another sex.

    Of a mother and her newborn the last name and the sex may be the same: another first name, or none yet, and the ages tell them apart.
    """
    found = {ground.field: ground.outcome for ground in agreements(known, said, weights)}
    if found[Field.BIRTH_DATE] is not Outcome.DIFFERENT or found[Field.IDENTIFIER] is Outcome.EXACT or found[Field.SSN4] is Outcome.EXACT:
        return False
    is_renamed = found[Field.FIRST_NAME] is Outcome.DIFFERENT
    if (is_renamed or known.is_newborn != said.is_newborn) and _are_mother_and_newborn(known, said, on):
        return True
    return is_renamed and found[Field.LAST_NAME] is Outcome.DIFFERENT and found[Field.SEX] is Outcome.DIFFERENT


def _are_mother_and_newborn(known: Features, said: Features, on: date) -> bool:
    if known.birth_date is None or said.birth_date is None:
        return False
    older, younger = sorted((known.birth_date, said.birth_date))
    return younger.year - older.year > MOTHER_YEARS and on - younger <= NEWLY_BORN
