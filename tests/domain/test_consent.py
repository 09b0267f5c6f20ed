"""A consent as it is kept, read back: every field means what was asserted, and nothing is made up where nothing was said."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.domain.consent import NO_ID, Category, Consent, ConsentKind, Purpose, RecipientClass, consent_of

IDS = st.uuids()
DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))
PAPERS = st.builds(
    Consent,
    id=IDS,
    kind=st.sampled_from(ConsentKind),
    categories=st.frozensets(st.sampled_from(Category), min_size=1),
    purposes=st.frozensets(st.sampled_from(Purpose)),
    signed_on=DAYS,
    discloser_id=st.none() | IDS,
    recipients=st.frozensets(IDS, max_size=3),
    recipient_classes=st.frozensets(st.sampled_from(RecipientClass)),
    expires_on=st.none() | DAYS,
    ends_at=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    scope=st.text(max_size=20),
)


def kept(paper: Consent) -> dict[str, object]:
    """Write a paper as PostgreSQL's json_build_object does."""
    return {
        "id": str(paper.id),
        "kind": paper.kind.value,
        "categories": sorted(paper.categories),
        "purposes": sorted(paper.purposes),
        "signed_on": paper.signed_on.isoformat(),
        "discloser_id": str(paper.discloser_id) if paper.discloser_id else None,
        "recipients": sorted(map(str, paper.recipients)),
        "recipient_classes": sorted(paper.recipient_classes),
        "expires_on": paper.expires_on.isoformat() if paper.expires_on else None,
        "ends_at": paper.ends_at.isoformat() if paper.ends_at else None,
        "scope": paper.scope,
    }


@given(PAPERS)
def test_a_paper_is_read_as_it_was_kept(paper: Consent) -> None:
    assert consent_of(json.loads(json.dumps(kept(paper)))) == paper


@given(PAPERS)
def test_where_only_what_it_lets_go_is_asked_the_rest_may_be_left_out(paper: Consent) -> None:
    short = {name: value for name, value in kept(paper).items() if name not in {"id", "ends_at", "scope"}}
    read = consent_of(short)
    assert read == replace(paper, id=NO_ID, ends_at=None, scope="")
