"""Consents as the decision reads them, set-based: with the stays of a list in one statement, or for all people of a batch.

Only what is in force is read: neither revoked nor waiting for review. Whether it holds on a day is the decision's. Not here: recording
them (consent_records).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from app.domain.consent import Consent, consent_of
from app.store.raw import Raw

_ONE = (
    "json_build_object('id', c.id, 'kind', c.kind, 'categories', c.categories, 'purposes', c.purposes, 'signed_on', c.signed_on, "
    "'discloser_id', c.discloser_id, 'recipients', c.recipients, 'recipient_classes', c.recipient_classes, "
    "'expires_on', c.expires_on, 'ends_at', c.ends_at, 'scope', c.scope)"
)


def signed_papers(alias: str) -> str:
    """Give the column with what the person of a row signed or refused (ix_consent_person_active)."""
    of_person = f"c.person_id = {alias}.person_id and c.state = 'active'"
    return f"(select json_agg({_ONE} order by c.id) from consent c where {of_person}) as consents"


SIGNED = signed_papers("e")
"""A column beside a stay `e` (ix_consent_person_active). Whoever may see the stay may have it judged by all of them (policies)."""


async def of_people(raw: Raw, people: Iterable[UUID]) -> dict[UUID, tuple[Consent, ...]]:
    """Give what each of these people has signed or refused; who has nothing is left out. One statement (ix_consent_person_active)."""
    rows = await raw.fetch(
        f"select c.person_id, json_agg({_ONE} order by c.id) as consents from consent c "
        "where c.person_id = any($1::uuid[]) and c.state = 'active' group by c.person_id",
        list(people),
    )
    return {row["person_id"]: signed_of(row["consents"]) for row in rows}


async def end(raw: Raw, now: datetime) -> list[UUID]:
    """Note which consents are over, and give whose stays are to be decided again (ix_consent_ending, ix_consent_ending_soon).

    Half a day after midnight UTC the day is over everywhere in the country; until then each decision asks the place's own calendar.
    """
    rows = await raw.fetch(
        "update consent set state = 'expired' where state = 'active' and (expires_on < $2 or ends_at <= $1) returning person_id",
        now,
        (now - timedelta(hours=12)).date(),
    )
    return sorted({row["person_id"] for row in rows})


def signed_of(stored: Any) -> tuple[Consent, ...]:  # noqa: ANN401  # decoded or not, by the connection's codec
    """Read what `SIGNED` gave."""
    if stored is None:
        return ()
    return tuple(consent_of(one) for one in (orjson.loads(stored) if isinstance(stored, str) else stored))
