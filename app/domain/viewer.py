"""Whoever is asking, with what they may see. Not here: how a key becomes a viewer (api/auth)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a key may do (DESIGN section 6, Auth)."""

    ADT_WRITE = "adt.write"
    NOTIFICATIONS_READ = "notifications.read"
    SUBSCRIPTIONS_WRITE = "subscriptions.write"
    FOLLOW_UPS_READ = "follow-ups.read"
    FOLLOW_UPS_WRITE = "follow-ups.write"
    PANELS_WRITE = "panels.write"
    MEMBERS_READ = "members.read"
    MEASURES_READ = "measures.read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The organization that asks and the scopes of its key. The operator of the exchange sees every organization."""

    organization_id: UUID | None
    scopes: frozenset[str]
    is_operator: bool = False
    key_id: UUID | None = None
    is_agreed: bool = True
    """An agreement lets its organization read today (domain/agreement)."""

    def may(self, scope: Scope) -> bool:
        """Tell whether the key carries the scope; the operator's carries every one."""
        return self.is_operator or scope.value in self.scopes


OPERATOR = Viewer(organization_id=None, scopes=frozenset(scope.value for scope in Scope), is_operator=True)
"""The exchange itself: CLI commands and the ADMIN_KEY."""
