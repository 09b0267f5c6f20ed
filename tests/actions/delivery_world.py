"""A network of one recipient, its endpoints and its notifications, for tests of delivery: real PostgreSQL, real sockets.

Times are the test's: the clock stands until it is moved. Leases alone follow the database's clock; `leases_run_out` ends them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.aes_gcm import AesGcmCipher
from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app.actions.deliver import Deliverer, DeliveryLimits
from app.actions.subscribe import SecretShown, SubscriptionWish, subscribe
from app.domain.delivery import OrderMode
from app.domain.happening import NotificationType
from app.domain.public_id import Kind, public_id
from app.domain.subscription import Subscription
from app.domain.viewer import OPERATOR
from app.ports import Sender
from app.store import notifications, subscriptions
from app.store.engine import raw_connection
from app.store.notification_reads import StoredNotification
from app.store.notifications import NotificationRow
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.support.fakes import FakeClock, FakeIds

HOME = UUID(int=0xB0B)


def person(letter: str) -> UUID:
    """Name a person (or an event) by a letter: the same letter is the same id."""
    return UUID(bytes=letter.encode().ljust(16, b"."))


@dataclass
class DeliveryWorld:
    """Everything a worker needs, and what tests look at."""

    engine: AsyncEngine
    clock: FakeClock = field(default_factory=FakeClock)
    ids: FakeIds = field(default_factory=FakeIds)
    cipher: AesGcmCipher = field(default_factory=lambda: AesGcmCipher({1: b"k" * 32}))
    home: UUID = HOME
    withdrawn: set[UUID] = field(default_factory=set)
    """Notifications that may no longer be told."""
    unpresentable: set[UUID] = field(default_factory=set)
    defects: list[Exception] = field(default_factory=list)
    senders: list[WebhookSender] = field(default_factory=list)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Raw]:
        """Open a transaction as the work role."""
        async with unit_of_work(self.engine, None) as connection:
            yield await raw_connection(connection)

    async def add_organization(self, organization: UUID, name: str = "Testhome") -> None:
        """Make a recipient."""
        async with self.transaction() as raw:
            await raw.execute(
                "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, "
                "created_at) values ($1, $2, 'health_home', '{}', 'unknown', 'unknown', 'America/New_York', 'US', $3)",
                organization,
                name,
                self.clock.now(),
            )

    def sender(self, **settings: float) -> WebhookSender:
        """Give a real sender that may reach this machine; closed with the world."""
        made = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]), **settings)  # type: ignore[arg-type]
        self.senders.append(made)
        return made

    def deliverer(self, sender: Sender | None = None, **limits: Any) -> Deliverer:
        """Give a worker of its own."""
        return Deliverer(
            self.transaction,
            sender or self.sender(),
            self.present,
            cipher=self.cipher,
            clock=self.clock,
            ids=self.ids,
            limits=DeliveryLimits(**limits),
            on_defect=self.defects.append,
        )

    async def present(self, raw: Raw, rows: Sequence[StoredNotification]) -> list[Mapping[str, Any]]:
        """Stand in for the rule: everything may be told but what the test withdrew."""
        del raw
        if bad := [row for row in rows if row.id in self.unpresentable]:
            raise KeyError(bad[0].id)
        return [
            {"sequence": row.sequence, "id": public_id(Kind.NOTIFICATION, row.id), "type": "notification.withdrawn"}
            if row.id in self.withdrawn
            else {**row.payload, "sequence": row.sequence}
            for row in rows
        ]

    async def subscribe(
        self,
        url: str,
        *,
        mode: OrderMode = OrderMode.ORDERED,
        types: Sequence[NotificationType] = (),
        start_after: int | None = None,
        organization: UUID | None = None,
    ) -> SecretShown:
        """Make a subscription for the home."""
        wish = SubscriptionWish(organization or self.home, url, "", tuple(types), mode, start_after)
        async with self.transaction() as raw:
            return await subscribe(raw, wish, ids=self.ids, cipher=self.cipher, objection=self.senders[0].objection, now=self.clock.now())

    async def notify(
        self,
        people: str,
        *,
        events: str | None = None,
        version: int = 1,
        type_: NotificationType = NotificationType.DISCHARGED,
        organization: UUID | None = None,
    ) -> list[UUID]:
        """Number one notification for each letter of `people`; `events` names their events, else each is its own."""
        rows = []
        for place, letter in enumerate(people):
            id_ = self.ids.new()
            event_id = person(events[place]) if events else id_
            payload = {
                "id": public_id(Kind.NOTIFICATION, id_),
                "event_id": public_id(Kind.EVENT, event_id),
                "type": type_.value,
                "version": version,
                "occurred_at": self.clock.now().isoformat(),
                "person": {"id": public_id(Kind.PERSON, person(letter)), "last_name": "Testpatient"},
            }
            rows.append(
                NotificationRow(
                    id=id_,
                    recipient_id=organization or self.home,
                    event_id=event_id,
                    type=type_.value,
                    version=version,
                    supersedes=None,
                    tier="full",
                    person_id=person(letter),
                    encounter_id=event_id,
                    follow_up_id=None,
                    occurred_at=self.clock.now(),
                    cause_id=None,
                    payload=payload,
                )
            )
        async with self.transaction() as raw:
            await notifications.number_and_insert(raw, rows, self.clock.now())
        return [row.id for row in rows]

    async def states(self, subscription_id: UUID) -> dict[int, str]:
        """Give each delivery's state by sequence."""
        async with self.transaction() as raw:
            rows = await raw.fetch("select sequence, state from delivery where subscription_id = $1 order by sequence", subscription_id)
        return {row["sequence"]: row["state"] for row in rows}

    async def column(self, column: str, subscription_id: UUID) -> list[Any]:
        """Give one column of a subscription's deliveries in sequence order."""
        async with self.transaction() as raw:
            rows = await raw.fetch(
                f"select {column} as value from delivery where subscription_id = $1 order by sequence",  # noqa: S608 - the test's own
                subscription_id,
            )
        return [row["value"] for row in rows]

    async def attempts(self, subscription_id: UUID) -> list[tuple[int, int, str]]:
        """Give (sequence, number, outcome) of each attempt, in the order they were recorded."""
        async with self.transaction() as raw:
            rows = await raw.fetch(
                "select sequence, number, outcome from attempt where subscription_id = $1 order by started_at, id", subscription_id
            )
        return [(row["sequence"], row["number"], row["outcome"]) for row in rows]

    async def find(self, subscription_id: UUID) -> Subscription:
        """Give a subscription as it is stored."""
        async with self.transaction() as raw:
            found = await subscriptions.find(raw, OPERATOR, subscription_id)
        assert found is not None
        return found

    async def leases_run_out(self) -> None:
        """Let the database's clock pass every lease."""
        async with self.transaction() as raw:
            await raw.execute("update delivery set lease_until = now() - interval '1 second' where lease_until is not null")

    async def drain(self, deliverer: Deliverer, rounds_max: int = 200) -> int:
        """Deliver round by round until nothing is due; give how many attempts were recorded."""
        recorded = 0
        for _ in range(rounds_max):
            done = await deliverer.deliver_once()
            recorded += done.recorded
            if done.idle:
                return recorded
        message = f"still something due after {rounds_max} rounds"
        raise AssertionError(message)

    def later(self, **by: float) -> None:
        """Move the clock."""
        self.clock.advance(**by)


@asynccontextmanager
async def delivery_world(engine: AsyncEngine) -> AsyncIterator[DeliveryWorld]:
    """Build the world with its recipient, and close its senders."""
    world = DeliveryWorld(engine)
    world.sender()
    await world.add_organization(world.home)
    yield world
    for made in world.senders:
        await made.close()
