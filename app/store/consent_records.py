"""Recording, revoking, reviewing and listing consents. A consent is never changed, only ended; who sees which is narrowed here.

An organization reads what it recorded, what lets it disclose, and what names it. Row-level security asks first (policies).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.consent import Category, ConsentKind, Purpose, RecipientClass
from app.domain.consent_form import ConsentForm, Signature, Signer, Statement
from app.domain.public_id import Kind, public_id
from app.domain.stored_consent import StoredConsent
from app.domain.viewer import Viewer
from app.store.audit import saw
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A stored consent. `state` is proposed, active, refused, revoked or expired."""

    id: UUID
    person_id: UUID
    record_id: UUID
    recorded_by: UUID | None
    kind: str
    categories: Sequence[str]
    purposes: Sequence[str]
    discloser_id: UUID | None
    recipients: Sequence[UUID]
    recipient_classes: Sequence[str]
    intermediary_id: UUID | None
    scope: str
    signed_on: date
    signed_by: str
    signature: str
    expires_on: date | None
    expires_upon: str | None
    ends_at: datetime | None
    statements: Sequence[str]
    reason: str | None
    document_id: str | None
    source: str
    state: str
    asserted_at: datetime
    reviewed_at: datetime | None = None
    review_note: str | None = None
    revoked_at: datetime | None = None
    revoked_by: UUID | None = None
    revocation_note: str | None = None

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it counts now, as far as a list can say: each decision asks the place's own calendar."""
        over = (self.expires_on is not None and self.expires_on < now.date()) or (self.ends_at is not None and self.ends_at <= now)
        return self.state == "active" and not over

    def stored(self, now: datetime) -> StoredConsent:
        """Give it as readers of other formats are shown it."""
        minutes = round((self.ends_at - self.asserted_at).total_seconds() / 60) if self.ends_at is not None else None
        form = ConsentForm(
            kind=ConsentKind(self.kind),
            signed_on=self.signed_on,
            categories=frozenset(map(Category, self.categories)),
            purposes=frozenset(map(Purpose, self.purposes)),
            scope=self.scope,
            discloser_id=self.discloser_id,
            any_discloser=self.discloser_id is None and self.kind in _PAPERS,
            recipients=tuple(self.recipients),
            recipient_classes=frozenset(map(RecipientClass, self.recipient_classes)),
            intermediary_id=self.intermediary_id,
            signed_by=Signer(self.signed_by),
            signature=Signature(self.signature),
            expires_on=self.expires_on,
            expires_upon=self.expires_upon,
            minutes=minutes,
            statements=frozenset(map(Statement, self.statements)),
            reason=self.reason,
            document_id=self.document_id,
        )
        return StoredConsent(
            self.id,
            self.person_id,
            form,
            self.state,
            self.is_in_force(now),
            self.asserted_at,
            self.ends_at,
            self.reviewed_at,
            self.revoked_at,
        )


_PAPERS = (ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.INTERMEDIARY)
_NAMES = tuple(ConsentRow.__dataclass_fields__)
_COLUMNS = ", ".join(f"c.{name}" for name in _NAMES)
_THEIRS = "($1::uuid is null or c.recorded_by = $1 or c.discloser_id = $1 or (c.state = 'active' and $1 = any(c.recipients)))"
"""Of a viewer: the operator (null) reads every one."""


def _row(record: Any) -> ConsentRow:  # noqa: ANN401 - asyncpg's record
    return ConsentRow(**dict(record))


def _shown(record: Any) -> ConsentRow | None:  # noqa: ANN401 - asyncpg's record
    """Give a consent that somebody sees or has changed, and note whose it is."""
    if record is None:
        return None
    row = _row(record)
    saw([row.person_id], public_id(Kind.CONSENT, row.id))
    return row


def _reader(viewer: Viewer) -> UUID | None:
    return None if viewer.is_operator else viewer.organization_id


async def record_of(raw: Raw, person_id: UUID) -> UUID | None:
    """Give a record of the person that the viewer sees: of a roster or hospital of theirs, or behind a stay or claim of theirs."""
    found: UUID | None = await raw.fetchval(
        "select id from (select r.id, 1 from patient_record r where r.person_id = $1 "
        "union all select e.record_id, 2 from encounter e where e.person_id = $1 "
        "union all select m.record_id, 3 from panel_member m where m.person_id = $1) seen(id, place) order by place, id limit 1",
        person_id,
    )
    return found


async def add(raw: Raw, new: Sequence[ConsentRow]) -> None:
    """Record consents. One statement; what is there already stays as it is."""
    if not new:
        return
    saw((one.person_id for one in new), *(public_id(Kind.CONSENT, one.id) for one in new))
    columns = ", ".join(_NAMES)
    places = ", ".join(f"${place}" for place in range(1, len(_NAMES) + 1))
    await raw.executemany(
        f"insert into consent ({columns}) values ({places}) on conflict (id) do nothing",
        [[getattr(one, name) for name in _NAMES] for one in new],
    )


async def find(raw: Raw, viewer: Viewer, consent_id: UUID) -> ConsentRow | None:
    """Give one that the viewer may read (pk_consent)."""
    row = await raw.fetchrow(f"select {_COLUMNS} from consent c where {_THEIRS} and c.id = $2", _reader(viewer), consent_id)
    return _shown(row)


async def by_ids(raw: Raw, consents: Sequence[UUID]) -> dict[UUID, ConsentRow]:
    """Give these, for the pipeline (pk_consent)."""
    rows = await raw.fetch(f"select {_COLUMNS} from consent c where c.id = any($1::uuid[])", list(consents))
    return {row["id"]: _row(row) for row in rows}


async def page(
    raw: Raw, viewer: Viewer, *, person_id: UUID | None, states: Sequence[str] | None, after: UUID | None, limit: int
) -> list[ConsentRow]:
    """Give a page of those that the viewer may read, the newest first."""
    rows = await raw.fetch(
        f"select {_COLUMNS} from consent c where {_THEIRS} and ($2::uuid is null or c.person_id = $2) "
        "and ($3::text[] is null or c.state = any($3)) and ($4::uuid is null or c.id < $4) order by c.id desc limit $5",
        _reader(viewer),
        person_id,
        None if states is None else list(states),
        after,
        limit,
    )
    found = [_row(row) for row in rows]
    saw(one.person_id for one in found)
    return found


async def revoke(raw: Raw, consent_id: UUID, by: UUID | None, note: str | None, now: datetime) -> ConsentRow | None:
    """End a consent from now on, once; None where it is not in force or proposed. What was told before was told rightly."""
    row = await raw.fetchrow(
        f"update consent c set state = 'revoked', revoked_at = $3, revoked_by = $2, revocation_note = $4 "
        f"where c.id = $1 and c.state in ('active', 'proposed') returning {_COLUMNS}",
        consent_id,
        by,
        now,
        note,
    )
    return _shown(row)


async def review(raw: Raw, consent_id: UUID, *, accept: bool, note: str | None, now: datetime) -> ConsentRow | None:
    """Decide what waits for review, once. Refusing an exception that is still open ends it."""
    row = await raw.fetchrow(
        "update consent c set reviewed_at = $3, review_note = $4, "
        "state = case when $2 then case when c.state = 'proposed' then 'active' else c.state end else 'refused' end "
        "where c.id = $1 and c.reviewed_at is null and (c.state = 'proposed' or c.kind in ('emergency', 'break_glass')) "
        f"returning {_COLUMNS}",
        consent_id,
        accept,
        now,
        note,
    )
    return _shown(row)
