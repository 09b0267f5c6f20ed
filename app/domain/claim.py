"""A line of a claim as a plan or a state sent it: an encounter or a dispensing, with its versions. And which lines stand.

A claim is corrected by sending it again with a higher adjustment: as a replacement, or as a reversal that takes it back. One that another
number replaces or voids has a reversal that is higher than any version. What stands is a function of all versions, so the order in which
files come does not matter. Not here: what is written in a file (``claim_row``), and what
a measure makes of a service (``service``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.domain.provider import Providers, resolved
from app.domain.service import Ground, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """One line in one version."""

    organization_id: UUID
    """Who loaded it."""
    claim_id: str
    line: str
    """Of a reversal empty: the whole claim."""
    adjustment: int = 0
    is_reversal: bool = False
    service_on: date | None
    visit_codes: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    place_of_service: str | None = None
    npi: str | None = None
    taxonomies: tuple[str, ...] = ()
    ndc: str | None = None
    of_another: bool = False
    """A version of the claim that names somebody else: it may be the last, and is no service of this person."""

    @property
    def name(self) -> str:
        """Name it as its sender would look it up."""
        return f"{self.claim_id}/{self.line}"


def standing_lines(lines: Iterable[ClaimLine]) -> list[ClaimLine]:
    """Give the lines that stand: of each claim those of its highest adjustment, without what is reversed in it.

    A replacement replaces the claim as a whole. Of a line and its reversal under one adjustment the reversal counts.
    """
    claims: dict[tuple[UUID, str], list[ClaimLine]] = {}
    for line in lines:
        claims.setdefault((line.organization_id, line.claim_id), []).append(line)
    standing: list[ClaimLine] = []
    for versions in claims.values():
        last = max(one.adjustment for one in versions)
        latest = [one for one in versions if one.adjustment == last]
        reversed_lines = {one.line for one in latest if one.is_reversal}
        if "" not in reversed_lines:
            standing += [one for one in _with_untouched(versions, latest) if not one.is_reversal and one.line not in reversed_lines]
    return standing


def _with_untouched(versions: Sequence[ClaimLine], latest: Sequence[ClaimLine]) -> Sequence[ClaimLine]:
    """Give the lines of the latest version; where it only reverses lines, those before it that it leaves alone stand on."""
    if not all(one.is_reversal for one in latest):
        return latest
    before = standing_lines(one for one in versions if one.adjustment < latest[0].adjustment)
    return [*before, *latest]


def services_of(lines: Iterable[ClaimLine], providers: Providers) -> list[Service]:
    """Give the lines that stand as services, each on its date of service."""
    services = []
    for line in standing_lines(lines):
        if line.service_on is None or line.of_another:
            continue
        kinds = resolved(line.npi, line.taxonomies, line.service_on, providers)
        services.append(
            Service(
                id=line.name,
                on=line.service_on,
                visit_codes=line.visit_codes,
                diagnoses=line.diagnoses,
                taxonomies=kinds.taxonomies,
                place_of_service=line.place_of_service,
                ndc=line.ndc,
                ground=Ground.CLAIM,
                npi=line.npi,
                is_provider_stated=kinds.is_stated,
                is_provider_unresolved=kinds.is_unresolved,
            )
        )
    return services
