"""Watches the panels: says once when one ages, expires or is renewed; counts how good each is; finds who is claimed twice.

The same round has the stays of people whose consent ended decided again; they are withheld at once, for every send and read asks.
One worker at a time, and none leads: whoever gets the lock does the round. Nothing is done where nothing changed: figures are counted
after an upload and once a day, conflicts after any upload and at midnight. Not here: the rules (domain/panel_standing,
domain/panel_conflict), the statements (store/panel_standings, store/panel_conflicts).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.agreement import WARNED_AT_DAYS, Agreement
from app.domain.calendar import local_date
from app.domain.organization import DEFAULT_TIME_ZONE
from app.domain.panel_conflict import EXCLUSIVE_ROLES
from app.domain.panel_standing import PanelState, age_days
from app.pipeline.rooms import OpenTransaction
from app.ports import Clock
from app.store import agreements, consents, inbound, panel_conflicts, panel_standings, people
from app.store.directory import RegistryReader
from app.store.panel_standings import Watched
from app.store.raw import Raw
from app.telemetry.event import Event
from app.telemetry.watch_events import AgreementExpires, PanelAged, PanelRenewed

PANEL_WATCH_LOCK: Final = -5
"""Beside the lanes, which count from 0, and the other locks of background work."""
COUNTED_AGAIN_AFTER: Final = timedelta(days=1)
COUNTED_AT_ONCE: Final = 10
"""Panels whose figures one round counts at most: a panel of a million members takes seconds."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A panel of which something else is true from now on."""

    organization_id: UUID
    before: PanelState
    state: PanelState
    age_days: int

    @property
    def event(self) -> Event:
        """Say it in the log."""
        is_renewed = self.state is PanelState.FRESH
        said = PanelRenewed(self.organization_id, self.age_days)
        return said if is_renewed else PanelAged(self.organization_id, self.state.value, self.age_days)


@dataclass(frozen=True, slots=True)
class Warned:
    """An agreement that is warned of now."""

    agreement: Agreement
    days_left: int

    @property
    def event(self) -> Event:
        """Say it in the log."""
        return AgreementExpires(self.agreement.id, self.agreement.organization_id, self.days_left)


@dataclass(frozen=True, slots=True)
class PanelWatch:
    """The watcher of one worker process."""

    transaction: OpenTransaction
    clock: Clock
    lock_space: int
    registry: RegistryReader = field(default_factory=RegistryReader)

    async def watch_once(self) -> Sequence[Turned | Warned]:
        """Do one round; give the panels that turned, and the agreements that are warned of, once at each step."""
        now = self.clock.now()
        async with self.transaction() as raw:
            if not await inbound.try_lock(raw, self.lock_space, PANEL_WATCH_LOCK):
                return ()
            panels = await panel_standings.watched(raw)
            turned = await _judge(raw, panels, now)
            await _count(raw, panels, now)
            await _find_conflicts(raw, panels, (await self.registry.current(raw)).reserved, now)
            await agreements.release(raw, now)
            warned = await self._warn(raw, now)
            over = await consents.end(raw, now)
            if over:
                await people.reconsider_people(raw, over, now, "consent")
        return [*turned, *warned]

    async def _warn(self, raw: Raw, now: datetime) -> list[Warned]:
        waiting = await agreements.expiring(raw, (now + timedelta(days=WARNED_AT_DAYS[0] + 1)).date())
        if not waiting:
            return []
        houses = (await self.registry.current(raw)).organizations
        found: dict[UUID, int] = {}
        warned: list[Warned] = []
        for one, said in waiting:
            zone = ZoneInfo(houses[one.organization_id].time_zone if one.organization_id in houses else DEFAULT_TIME_ZONE)
            step = one.warning(zone, now)
            if step is not None and (said is None or step < said):
                found[one.id] = step
                warned.append(Warned(one, one.days_left(zone, now) or 0))
        await agreements.warned(raw, found, now)
        return warned


async def _judge(raw: Raw, panels: Sequence[Watched], now: datetime) -> list[Turned]:
    turned = [
        Turned(panel.organization_id, panel.state, state, age_days(panel.last_loaded_at, now))
        for panel in panels
        if (state := panel.limits.state(panel.last_loaded_at, now)) is not panel.state
    ]
    if turned:
        await panel_standings.save_states(raw, [(one.organization_id, one.state) for one in turned], now)
    return turned


async def _count(raw: Raw, panels: Sequence[Watched], now: datetime) -> None:
    stale = [
        panel
        for panel in panels
        if panel.figures_upload_id != panel.upload_id or panel.counted_at is None or now - panel.counted_at >= COUNTED_AGAIN_AFTER
    ]
    # Those that were never counted first, then the longest ago.
    for panel in sorted(stale, key=lambda one: one.counted_at or datetime.min.replace(tzinfo=UTC))[:COUNTED_AT_ONCE]:
        await panel_standings.count_figures(raw, panel, local_date(now, ZoneInfo(panel.time_zone)), now)


async def _find_conflicts(raw: Raw, panels: Sequence[Watched], reserved: frozenset[UUID], now: datetime) -> None:
    if not panels:
        return
    day = now.astimezone(UTC).date()
    seen = [*(panel.upload_id for panel in panels), *sorted(reserved)]
    mark = blake2b(b"".join([day.isoformat().encode(), *(one.bytes for one in seen)]), digest_size=16).digest()
    if await panel_conflicts.found_for(raw) != mark:
        await panel_conflicts.find_conflicts(raw, day, [role.value for role in EXCLUSIVE_ROLES], mark, now, reserved)
