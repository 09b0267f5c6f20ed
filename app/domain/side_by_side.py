"""Two records side by side for whoever has to decide: what each says, field by field, and whether it is the same. Pure.

Not here: how alike they are (comparison), who may look (api).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.latest import known
from app.domain.person import PatientRecord, normalised

SHOWN: Final = (
    "first_name", "middle_name", "last_name", "suffix", "former_last_name", "birth_date", "sex", "phone", "phone2", "address", "city",
    "state", "zip", "race", "ethnicity", "language", "died_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldBeside:
    """One field of both."""

    field: str
    left: str | None
    right: str | None
    is_same: bool | None
    """None: one of the two does not say."""


def side_by_side(left: PatientRecord, right: PatientRecord) -> list[FieldBeside]:
    """Give every field that at least one of the two states, then the numbers that one authority gave both."""
    mine, theirs = known(left.said), known(right.said)
    found = [FieldBeside(name, *_both(mine, theirs, name)) for name in SHOWN if mine.get(name) or theirs.get(name)]
    numbers = [_numbers(left), _numbers(right)]
    for issuer in sorted(numbers[0].keys() & numbers[1].keys()):
        one, other = (", ".join(sorted(side[issuer])) for side in numbers)
        found.append(FieldBeside(f"identifier {issuer}", one, other, not numbers[0][issuer].isdisjoint(numbers[1][issuer])))
    return found


def _both(mine: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> tuple[str | None, str | None, bool | None]:
    left, right = (str(side[name]) if side.get(name) else None for side in (mine, theirs))
    return left, right, None if left is None or right is None else normalised(left) == normalised(right)


def _numbers(record: PatientRecord) -> dict[str, set[str]]:
    numbers: dict[str, set[str]] = {}
    for item in record.identifiers:
        if item.authority:
            numbers.setdefault(f"{item.authority} {item.type}".strip(), set()).add(item.value)
    return numbers
