"""Facts that several messages state, field by field: the latest event wins, whenever it arrives.

A `Said` groups fields by the sort key of the message that last stated them. Learning is commutative, associative and
idempotent, so any order of arrival and any duplication end in the same facts (DESIGN section 2.4, ADT-4). An erased value is
remembered as None: a late older message cannot bring it back. Values are JSON values, because a `Said` is stored as it is.
"""

from collections.abc import Mapping
from typing import Any

Said = dict[str, dict[str, Any]]
"""Sort key of the message -> the fields for which no later message has spoken."""


def learn(said: Said, key: str, fields: Mapping[str, Any]) -> Said:
    """Add what the message with sort key `key` states; give the new facts and leave the old ones untouched."""
    if not fields:
        return said
    newer: set[str] = set()
    learned: Said = {}
    for other, stated in said.items():
        if other > key:
            newer.update(stated)
            learned[other] = stated
        else:
            kept = {name: value for name, value in stated.items() if name not in fields}
            if kept:
                learned[other] = kept
    mine = {name: value for name, value in fields.items() if name not in newer}
    if mine:
        # The same key twice is the same message twice: its fields were dropped above and are stated again here.
        learned[key] = {**learned.get(key, {}), **mine}
    return learned


def merged(left: Said, right: Said) -> Said:
    """Join the facts of two records."""
    for key, fields in right.items():
        left = learn(left, key, fields)
    return left


def known(said: Said) -> dict[str, Any]:
    """Give each field's value; an erased one is absent."""
    return {name: value for fields in said.values() for name, value in fields.items() if value is not None}


def key_of(said: Said, field: str) -> str:
    """Give the sort key of the message that last stated the field, or an empty text."""
    for key, fields in said.items():
        if field in fields:
            return key
    return ""
