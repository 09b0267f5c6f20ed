"""How a panel stands: how long ago its owner last said anything about it, what that makes it, and how good it is.

A panel that nobody renews still names patients; most of them are still its owner's, some are not. So age never stops a notification:
it is said to the operator, to the owner, and with every notification that rests on the panel (decision 0006). Not here: what an upload
changes (panel), who watches (pipeline/panel_watch).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.domain.public_id import Kind, public_id

WARN_AFTER_DAYS: Final = 75
EXPIRE_AFTER_DAYS: Final = 90
"""Our defaults, those of exchanges in service (panels age out after 90 days, with a word at 75); each organization can have its own."""
DAYS_MAX: Final = 3650


class PanelState(StrEnum):
    """What its age makes of a panel."""

    FRESH = "fresh"
    AGEING = "ageing"
    """It will expire soon: ask its owner for a roster."""
    EXPIRED = "expired"
    """Too old to be relied on. Its members are still told of; each notification says so."""


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """After how many whole days a panel is ageing, and expired."""

    warn_after_days: int = WARN_AFTER_DAYS
    expire_after_days: int = EXPIRE_AFTER_DAYS

    def state(self, last_loaded_at: datetime, now: datetime) -> PanelState:
        """Judge the age."""
        days = age_days(last_loaded_at, now)
        if days >= self.expire_after_days:
            return PanelState.EXPIRED
        return PanelState.AGEING if days >= self.warn_after_days else PanelState.FRESH


def age_days(last_loaded_at: datetime, now: datetime) -> int:
    """Give the age in whole days."""
    return max(0, (now - last_loaded_at) // timedelta(days=1))


def limits_of(warn_after_days: int | None, expire_after_days: int | None) -> AgeLimits:
    """Fill in the defaults; a warning never comes after the expiry."""
    expire = EXPIRE_AFTER_DAYS if expire_after_days is None else expire_after_days
    return AgeLimits(min(expire, WARN_AFTER_DAYS if warn_after_days is None else warn_after_days), expire)


@dataclass(frozen=True, slots=True)
class PanelFigures:
    """How good a panel is, counted in people with a claim in force on a day."""

    members: int
    claims: int
    without_phone: int
    """Whose rows name no phone: nobody can be called on the day of the discharge."""
    possible_duplicates: int
    """Whom the panel claims for one program and role under more than one number."""
    never_matched: int
    """Of whom no hospital has told a stay that the owner may know of: most of a panel at first; who stays so may have wrong numbers."""
    counted_at: datetime

    def document(self) -> dict[str, Any]:
        """Give the JSON, with the shares."""
        return {
            "members": self.members,
            "claims": self.claims,
            "without_phone": self.without_phone,
            "possible_duplicates": self.possible_duplicates,
            "never_matched": self.never_matched,
            "never_matched_share": round(self.never_matched / self.members, 4) if self.members else None,
            "counted_at": self.counted_at,
        }


@dataclass(frozen=True, slots=True)
class PanelStanding:
    """One panel as it stands."""

    organization_id: UUID
    organization: str
    last_loaded_at: datetime
    """When an upload, a `$member-add` or a `$member-remove` last said something that was taken."""
    last_replaced_at: datetime | None
    """When the last whole panel came."""
    last_upload_id: UUID
    last_mode: str
    last_rows: int
    last_rejected: int
    limits: AgeLimits
    figures: PanelFigures | None
    """None: not counted yet; they are counted in the background, within minutes of an upload and once a day."""

    def document(self, now: datetime) -> dict[str, Any]:
        """Give the JSON of `/v1/panels`."""
        return {
            "organization_id": public_id(Kind.ORGANIZATION, self.organization_id),
            "organization": self.organization,
            "state": self.limits.state(self.last_loaded_at, now).value,
            "age_days": age_days(self.last_loaded_at, now),
            "warn_after_days": self.limits.warn_after_days,
            "expire_after_days": self.limits.expire_after_days,
            "expires_at": self.last_loaded_at + timedelta(days=self.limits.expire_after_days),
            "last_loaded_at": self.last_loaded_at,
            "last_replaced_at": self.last_replaced_at,
            "last_upload": {
                "id": public_id(Kind.UPLOAD, self.last_upload_id),
                "mode": self.last_mode,
                "rows": self.last_rows,
                "rejected": self.last_rejected,
            },
            "figures": None if self.figures is None else self.figures.document(),
        }


EXPIRED_WORDS: Final = "its panel has expired: not renewed for too long"
"""Said with the ground of a notification that rests on an expired panel."""
