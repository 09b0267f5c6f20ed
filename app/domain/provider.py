"""For whom a practitioner works, and what kind of provider an NPI is: from a day to before a day, and since when that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ProviderLink:
    """One practitioner at one organization."""

    id: UUID
    organization_id: UUID
    asserted_at: datetime
    effective_from: date | None = None
    """None: always."""
    effective_to: date | None = None
    """The first day on which it no longer holds; None is open."""


class TaxonomySpan(NamedTuple):
    """What kind of provider somebody is, during one period."""

    taxonomy: str
    effective_from: date | None = None
    effective_to: date | None = None
    """Exclusive."""


Providers = Mapping[str, Sequence[TaxonomySpan]]
"""NPI -> what kinds of provider they are, as the loaded registry says."""


def kinds_of(npi: str | None, on: date, providers: Providers) -> tuple[str, ...]:
    """Give what kinds of provider somebody was on a day; nothing where nobody says."""
    return tuple(
        span.taxonomy
        for span in providers.get(npi or "", ())
        if (span.effective_from is None or span.effective_from <= on) and (span.effective_to is None or on < span.effective_to)
    )


class Kinds(NamedTuple):
    """What kinds of provider somebody was on a day, and how that is known."""

    taxonomies: tuple[str, ...]
    is_stated: bool
    """Only who sent the visit says so: no registry does."""
    is_unresolved: bool
    """Somebody is named, and what they are nobody says."""


def resolved(npi: str | None, stated: tuple[str, ...], on: date, providers: Providers) -> Kinds:
    """Say what kinds of provider rendered a visit. What the registry says of an NPI goes before what is stated with it."""
    known = kinds_of(npi, on, providers)
    return Kinds(known or stated, is_stated=not known and bool(stated), is_unresolved=npi is not None and not (known or stated))
