"""How alike two texts are: edits, sound, forms of a name. Symmetric, and quick for what is plainly different.

No library: three levels of agreement need no more than "at most two edits", which takes no table. Once the equal beginnings and ends of
two texts are cut off, one edit must touch the beginning of what is left and one its end, and between them everything must be equal:
under a microsecond, which a library's call would take as well.
"""

from functools import lru_cache
from typing import Final

from app.domain.comparison_weights import FieldGrounds, Ground
from app.domain.features import Features

TWO_EDITS_FROM: Final = 6
"""Our policy: in a shorter word two edits make another word."""
ONE_EDIT_FROM: Final = 3
LONG_NAME_FROM: Final = 7
"""Our policy: so long a name with a slip inside is no other name."""
INSIDE: Final = 3
"""Our policy: after so many letters, and before the last, is inside."""
ONE_NAME_FROM: Final = 4
"""Our policy: of shorter names a slip of the keys may make another name (Ian, Ina)."""
_SOUNDS: Final = str.maketrans(
    "BFPVCGJKQSXZDTLMNR" + "AEIOUYHW",
    "111122222222334556" + "00000099",
)
_SOUND_LENGTH: Final = 4
NAMES_KEPT: Final = 50_000
"""The sounds of so many names are kept: most people have one of them."""


def edits(left: str, right: str, most: int = 2) -> int:
    """Count how many letters must be added, taken, changed or exchanged with their neighbour (optimal string alignment).

    Gives `most` + 1 as soon as it is more than `most` (1 or 2).
    """
    if left == right:
        return 0
    if len(left) > len(right):
        left, right = right, left
    if len(right) - len(left) > most:
        return most + 1
    start, end = 0, len(left)
    while start < end and left[start] == right[start]:
        start += 1
    shift = len(right) - end
    while end > start and left[end - 1] == right[end - 1 + shift]:
        end -= 1
    mine, theirs = end - start, end - start + shift
    if not mine:
        return theirs
    if theirs == 1:
        return 1
    is_turned_at_start = mine > 1 and left[start] == right[start + 1] and left[start + 1] == right[start]
    if is_turned_at_start and mine == theirs == 2:  # noqa: PLR2004 -- two neighbours
        return 1
    if most == 1:
        return 2
    return 2 if _are_two_edits(left[start:end], right[start : end + shift], is_turned_at_start=is_turned_at_start) else 3


def _are_two_edits(left: str, right: str, *, is_turned_at_start: bool) -> bool:
    """Tell whether two edits part two texts that begin and end differently: one at the beginning, one at the end.

    `left` is no longer than `right`. An edit takes so many letters of each: one and one (another letter), two and two (neighbours
    exchanged), none and one, one and none.
    """
    shift = len(right) - len(left)
    if shift == 2:  # noqa: PLR2004 -- a letter more at either end
        return left == right[1:-1]
    is_turned_at_end = len(left) > 1 and left[-1] == right[-2] and left[-2] == right[-1]
    if shift == 1:
        return (
            left[:-1] == right[1:-1]
            or left[1:] == right[1:-1]
            or (is_turned_at_end and left[:-2] == right[1:-2])
            or (is_turned_at_start and left[2:] == right[2:-1])
        )
    return (
        left[1:-1] == right[1:-1]
        or left[1:] == right[:-1]
        or left[:-1] == right[1:]
        or (is_turned_at_start and left[2:-1] == right[2:-1])
        or (is_turned_at_end and left[1:-2] == right[1:-2])
        or (is_turned_at_start and is_turned_at_end and len(left) > 3 and left[2:-2] == right[2:-2])  # noqa: PLR2004 -- not the same two
    )


def is_one_name_miswritten(left: str, right: str) -> bool:
    """Tell whether two spellings can only be one name: a slip that no parents choose between two children.

    Neighbours exchanged, a letter doubled or not, a digit in a letter's place, or any one slip well inside a long name. Names that are
    meant to be alike differ where they begin or end (Jayden and Hayden, Gabriel and Gabriela). That both are names of their own (Maria,
    Maira) is for the caller to know.
    """
    if len(left) > len(right):
        left, right = right, left
    if len(left) < ONE_NAME_FROM or left[0] != right[0] or edits(left, right, 1) != 1:
        return False
    at = next((place for place, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), len(left))
    if len(left) >= LONG_NAME_FROM and INSIDE <= at < len(left) - 1 and left[-1] == right[-1]:
        return True
    if len(left) < len(right):
        return right[at] == right[at - 1]
    is_exchanged = left[at : at + 2] == right[at : at + 2][::-1]
    return is_exchanged or left[at].isdigit() != right[at].isdigit()


@lru_cache(maxsize=NAMES_KEPT)
def sound(name: str) -> str:
    """Give the American Soundex code (US National Archives): what is written differently and spoken alike has one code."""
    if not name or not name.isascii() or not name[0].isalpha():
        return name[:_SOUND_LENGTH]
    codes = name.translate(_SOUNDS)
    found, last = name[0], codes[0]
    for code in codes[1:]:
        if code == "9":  # H and W do not part two letters of one sound
            continue
        if code not in ("0", last):
            found += code
            if len(found) == _SOUND_LENGTH:
                break
        last = code
    return found.ljust(_SOUND_LENGTH, "0")


def _near(left: str, right: str, grounds: FieldGrounds) -> Ground:
    shorter = min(len(left), len(right))
    apart = edits(left, right, 2 if shorter >= TWO_EDITS_FROM else 1)
    if apart == 1 and shorter >= ONE_EDIT_FROM:
        return grounds.typo
    if apart == 2 and shorter >= TWO_EDITS_FROM:  # noqa: PLR2004 -- two edits
        return grounds.similar
    return grounds.different


def last_names(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    """Compare last names, with their parts and former ones."""
    mine, theirs = left.last, right.last
    if not mine or not theirs:
        return grounds.missing
    if mine == theirs:
        return grounds.exact
    if mine == right.first and theirs == left.first:
        return grounds.swapped
    if (left.last_parts or right.last_parts) and (
        mine in right.last_parts or theirs in left.last_parts or not left.last_parts.isdisjoint(right.last_parts)
    ):
        return grounds.part
    found = _near(mine, theirs, grounds)
    if found is grounds.different and sound(mine) == sound(theirs):
        return grounds.similar
    return found


def first_names(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    """Compare first names, with nicknames, initials, double names, and the middle name used as the first."""
    mine, theirs = left.first, right.first
    if not mine or not theirs:
        return grounds.missing
    if mine == theirs:
        return grounds.exact
    if not left.forms.isdisjoint(right.forms):
        return grounds.nickname
    if mine == right.last and theirs == left.last:
        return grounds.swapped
    if len(mine) == 1 or len(theirs) == 1:
        return grounds.part if mine[0] == theirs[0] else grounds.different
    if mine in right.first_parts or theirs in left.first_parts:
        return grounds.part
    found = _near(mine, theirs, grounds)
    if found is not grounds.different:
        return found
    if (len(right.middle) > 1 and mine == right.middle) or (len(left.middle) > 1 and theirs == left.middle):
        return grounds.swapped
    return found


def middle_names(left: str, right: str, grounds: FieldGrounds) -> Ground:
    """Compare middle names; an initial agrees in part with what begins with it."""
    if not left or not right:
        return grounds.missing
    if left == right:
        return grounds.exact
    if len(left) == 1 or len(right) == 1:
        return grounds.part if left[0] == right[0] else grounds.different
    return grounds.typo if edits(left, right, 1) == 1 else grounds.different
