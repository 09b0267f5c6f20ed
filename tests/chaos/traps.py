"""A reader of ADT with traps in it: a message may raise, kill the process that reads it, or hold it up in the middle of a batch.

What a message does stands in its PID-11. The real reader does the rest.
"""

import os
import sys
from collections.abc import Sequence

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed
from app.domain.inbound import Header, Problem

RAISES, KILLS, WAITS = "RAISES", "KILLS", "WAITS"
EXIT_CODE = 9


class TrapError(Exception):
    """What a trapped message raises. Its text quotes the message, as a careless library's would."""


class TrappedReader:
    """The reader that the rooms are given in these tests."""

    def __init__(self) -> None:
        """Have the real one at hand."""
        self._reader = Hl7v2Reader()
        self.waited = False

    def header(self, body: bytes) -> Header:
        """Read as always."""
        return self._reader.header(body)

    def problems(self, body: bytes, header: Header, feed: Feed) -> Sequence[Problem]:
        """Judge as always: the door does not know the traps."""
        return self._reader.problems(body, header, feed)

    def is_supported(self, trigger: str) -> bool:
        """Tell as always."""
        return self._reader.is_supported(trigger)

    def read(self, body: bytes, feed: Feed) -> AdtEvent | Sequence[Problem]:
        """Read, unless the message is a trap."""
        if RAISES.encode() in body:
            raise TrapError(body)
        if KILLS.encode() in body:
            os._exit(EXIT_CODE)
        if WAITS.encode() in body and not self.waited:
            # Says so, and then stands still with everything locked until a line comes.
            self.waited = True
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            sys.stdin.readline()
        return self._reader.read(body, feed)
