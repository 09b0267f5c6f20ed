"""What a connection needs of its listener. Not here: either of them (`connection`, `listener`)."""

from typing import TYPE_CHECKING, Protocol

from adapters.hl7v2.peers import Peer
from adapters.hl7v2.window import Answering

if TYPE_CHECKING:
    from adapters.hl7v2.connection import MllpConnection


class Owner(Answering, Protocol):
    """The listener, as its connections see it."""

    def opened(self, connection: "MllpConnection") -> Peer | None:
        """Admit the connection and name its peer, or None when there are too many."""
        ...

    def closed(self, connection: "MllpConnection") -> None:
        """Forget the connection."""
        ...

    def may_begin(self, connection: "MllpConnection") -> bool:
        """Give it a frame of this turn, or call its `proceed` in another."""
        ...

    def may_enter(self, connection: "MllpConnection", host: str) -> bool:
        """Let a frame of a stranger in, or call its `proceed` when it is let in."""
        ...

    def rest(self, connection: "MllpConnection") -> None:
        """Call its `read_on` when the others had their turn."""
        ...
