"""What is written where no name is known: for a newborn, for somebody who cannot say who they are. Never a ground for a match.

Newborns go by their mothers' names until they have one; two of two mothers are "Baby Boy Smith" on one day. Our own list.
"""

import re
from typing import Final

NO_NAMES: Final = frozenset(
    {
        "", "UNKNOWN", "UNK", "UNKNOWNNAME", "UNKNOWNMALE", "UNKNOWNFEMALE", "UNIDENTIFIED", "NONAME", "TRAUMA", "TEST", "TESTPATIENT",
        "ZZTEST", "PATIENT", "NONE", "NOTGIVEN", "NOTKNOWN", "NA", "REFUSED", "ANONYMOUS", "XX", "XXX", "XXXX", "BABY", "BABYBOY",
        "BABYGIRL", "NEWBORN",
    }
)  # fmt: skip
"""Normalised first or last names that are none."""
NOBODY: Final = frozenset({("JOHN", "DOE"), ("JANE", "DOE"), ("BABY", "DOE"), ("TRAUMA", "DOE"), ("NOT", "GIVEN"), ("NOT", "KNOWN")})
"""First and last names that together mean nobody in particular."""
NO_NUMBERS: Final = frozenset({"N/A", "NA", "N.A.", "NONE", "NULL", "UNKNOWN", "UNK", "TBD", "PENDING", "X", "-", "--", "0", "."})
REPEATED_CHARACTERS_MIN: Final = 5
"""Our policy: an identifier of so many equal characters is none."""
NOBODYS_SSNS: Final = frozenset({"123456789", "078051120", "219099999"})
"""What is written where one is demanded, and two that were printed in advertisements (SSA, "Social Security Cards Issued by Woolworth")."""
_NEWBORN: Final = re.compile(
    r"^(NB|BB|BG|B B|B G|NEWBORN|NEONATE|BOY|GIRL|MALE|FEMALE|(BABY|INFANT|TWIN|TRIPLET)\s*(BOY|GIRL|MALE|FEMALE)?)(\s*[1-4]|\s+[A-D])?\b"
)
_BEGINNINGS: Final = ("NB", "BB", "BG", "NEWBORN", "NEONATE", "BOY", "GIRL", "MALE", "FEMALE", "BABY", "INFANT", "TWIN", "TRIPLET")
_WORD_BREAK: Final = re.compile(r"[^0-9A-Z]+")


def is_newborns(words: str) -> bool:
    """Tell whether a first name, in capitals and its words apart, is that of a newborn without a name."""
    return bool(_NEWBORN.match(words))


def may_be_newborns(joined: str, written: str) -> bool:
    """Tell the same of a name as it was written; `joined`, its normalised form, ends it at once for nearly every name."""
    return joined.startswith(_BEGINNINGS) and is_newborns(" ".join(_WORD_BREAK.split(written.upper())).strip())


_LONGEST_WORD: Final = max(map(len, NO_NUMBERS))
_PADDING: Final = "- "


def is_no_number(value: str) -> bool:
    """Tell whether what is written for an identifier says that there is none. Two people must not become one over `999-99-9999`."""
    # Nearly every number ends at once: it is no word, and what begins and ends with different characters does not repeat one.
    if len(value) > _LONGEST_WORD and value[0] != value[-1] and value[0] not in _PADDING and value[-1] not in _PADDING:
        return False
    if value.upper() in NO_NUMBERS:
        return True
    plain = value.replace("-", "").replace(" ", "") or value
    return len(plain) >= REPEATED_CHARACTERS_MIN and plain == plain[0] * len(plain)
