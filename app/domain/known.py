"""Three-valued facts: what a field of a message says about a value.

HL7v2 snapshot mode (HL7 2.5.1 chapter 2.5.3, standards rule ADT-3): an absent field is no information, two double quotes
erase the value, anything else replaces it. `None` is "no information", `ERASED` is "erase", anything else is the value.
This module does not know where the facts come from.
"""

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar


class Erasure(Enum):
    """The single value that says: the sender erases what was known."""

    ERASED = '""'


ERASED: Final = Erasure.ERASED

T = TypeVar("T")
Known: TypeAlias = T | Literal[Erasure.ERASED] | None
"""A fact as a message states it: a value, `ERASED`, or `None` for "the message does not say"."""


def revise(before: T | None, said: Known[T]) -> T | None:
    """Give what is known after a message has spoken."""
    if said is None:
        return before
    if isinstance(said, Erasure):
        return None
    return said


def stated(said: Known[T]) -> T | None:
    """Give the value a message states, or None where it says nothing or erases."""
    return None if said is None or isinstance(said, Erasure) else said
