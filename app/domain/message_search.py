"""What somebody types who looks for a message: a control id, a number of the patient or of the visit, or a name with a birth date. Pure.

Not here: where it is looked for (store/inbound_search).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app.domain.completeness import MessageFields
from app.domain.field_place import field_place
from app.domain.person import demographic_key, normalised

_SEXES = ("F", "M", "O", "A", "N")
_NAMED = re.compile(r"(?P<name>.*[^\W\d_].*?)[\s,;]+(?P<born>\d{4}-\d{2}-\d{2}|\d{8}|\d{1,2}/\d{1,2}/\d{4})\s*")
_NUMBERS = (("MSH", 10, 1), ("PID", 3, 1), ("PID", 18, 1), ("PV1", 19, 1), ("PV1", 50, 1), ("MRG", 1, 1))
_FORMS = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y")


@dataclass(frozen=True, slots=True)
class NameAndBirthDate:
    """A patient as people know one."""

    last_name: str
    first_name: str
    birth_date: date

    def demographic_keys(self) -> tuple[int, ...]:
        """Give the keys under which such a record may be stored: by sex, which nobody types."""
        facts = {"first_name": self.first_name, "last_name": self.last_name, "birth_date": self.birth_date.isoformat()}
        return tuple(key for sex in _SEXES if (key := demographic_key({**facts, "sex": sex})) is not None)


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """What is looked for: a number or id, or somebody."""

    text: str
    somebody: NameAndBirthDate | None = None

    def found_in(self, fields: MessageFields, visit_places: Sequence[str] = ()) -> bool:
        """Tell whether a message says it, in the fields where it belongs: for messages that nothing was made of.

        `visit_places` are where the feed's profile looks for the visit's number, Z segments among them.
        """
        if self.somebody is not None:
            return _names(self.somebody, fields)
        of_visit = map(field_place, visit_places)
        places = (*_NUMBERS, *((place.segment, place.field, place.component or 1) for place in of_visit))
        return any(self.text in fields.values(*place) for place in places)


def _names(somebody: NameAndBirthDate, fields: MessageFields) -> bool:
    born = somebody.birth_date.strftime("%Y%m%d")
    return (
        any(value.startswith(born) for value in fields.values("PID", 7))
        and normalised(somebody.last_name) in map(normalised, fields.values("PID", 5, 1))
        and normalised(somebody.first_name) in map(normalised, fields.values("PID", 5, 2))
    )


def read_query(text: str) -> MessageQuery:
    """Read what was typed. `Alder, Ann 1980-01-02`, `Ann Alder 01/02/1980` and `Alder^Ann 19800102` are somebody; the rest is a number."""
    typed = text.strip()
    found = _NAMED.fullmatch(typed)
    born = _day(found["born"]) if found else None
    if found is None or born is None:
        return MessageQuery(typed)
    name = found["name"].strip(" ,;")
    for separator in ("^", ","):
        if separator in name:
            last, _, first = name.partition(separator)
            break
    else:
        first, _, last = name.rpartition(" ")
    first, last = first.strip(), last.strip(" ^")
    return MessageQuery(typed, NameAndBirthDate(last, first, born)) if first and last else MessageQuery(typed)


def _day(text: str) -> date | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a date without a time has no zone
        except ValueError:
            continue
    return None
