"""What in a contact says that somebody may be in danger, so that it is escalated at once (domain section 7).

A C-SSRS screener at moderate or high, or any answer but "not at all" to item 9 of the PHQ-9. A stated level counts like answers, and a
total that the other eight items cannot come to is an answer to the ninth.
"""

from typing import Final

from app.domain.contact import Contact, ContactTopic
from app.domain.instrument import PHQ9_ITEM_MAX, PHQ9_ITEMS

ESCALATED_LEVELS: Final = frozenset({"moderate", "high"})
ITEM_9: Final = "item_9"
TOLD_TO: Final = ("assignee", "supervisor", "on_call")
LIFELINE: Final = {"code": "988", "text": "988 Suicide and Crisis Lifeline: call or text 988, at any hour. In an emergency call 911."}
"""Travels with every safety notice."""


def findings(contact: Contact) -> tuple[str, ...]:
    """Give what was found, by code; nothing of a contact that was taken back, nor of what was not done."""
    if contact.voided_at is not None:
        return ()
    return positive(contact)


def positive(contact: Contact) -> tuple[str, ...]:
    """Give what a contact says, taken back or not."""
    found = []
    for item in contact.content:
        if not item.done:
            continue
        if item.topic is ContactTopic.C_SSRS_LEVEL and item.value in ESCALATED_LEVELS:
            found.append(f"c_ssrs_{item.value}")
        without_it = (PHQ9_ITEMS - 1) * PHQ9_ITEM_MAX
        is_beyond = isinstance(item.value, int) and item.value > without_it
        if item.topic is ContactTopic.PHQ9 and (dict(item.answers).get(ITEM_9, 0) > 0 or is_beyond):
            found.append("phq9_item_9")
    return tuple(found)
