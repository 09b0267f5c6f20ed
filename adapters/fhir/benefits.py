"""One ExplanationOfBenefit as lines of a claim (CARIN Blue Button: institutional, professional, pharmacy), in the columns of a file. Pure.

What a cell means, and which version of a claim stands, is decided where it is for CSV (app/domain/claim_row, claim), so that a claim is
the same in every format. Not here: bytes and other resources (`claims`), shapes and types (`models`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.fhir.codes import ICD_10, NPI
from adapters.fhir.reading import has_type
from adapters.fhir.times import read_instant
from adapters.fhir.values import Json, code, member, objects, text
from app.domain.claim_row import ADJUSTMENT_MAX, DENIED, DIAGNOSES_MAX

Cells = dict[str, str]

PROCEDURES: Final = frozenset(
    {
        "http://www.ama-assn.org/go/cpt",
        "http://terminology.hl7.org/CodeSystem/HCPCS",
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    }
)
NDC: Final = "http://hl7.org/fhir/sid/ndc"
PLACES: Final = frozenset({"https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"})
TAXONOMIES: Final = frozenset({"http://nucc.org/provider-taxonomy"})
NOT_OF_THE_STAY: Final = frozenset({"admitting", "patientreasonforvisit"})
"""Diagnoses that were only suspected: what was found is among the others."""
TAKEN_BACK: Final = frozenset({"cancelled", "entered-in-error"})
RENDERING: Final = ("performing", "rendering", "primary")
ATTENDING: Final = "attending"
"""On an institutional claim the rendering provider is said only where it is not the attending one (UB-04)."""
_COUNTED_FROM: Final = datetime(2010, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Party:
    """What is kept of a resource that claims refer to."""

    member_id: str = ""
    medicaid_id: str = ""
    mrn: str = ""
    npi: str = ""

    @property
    def names_a_member(self) -> bool:
        """Whether a panel can know it."""
        return bool(self.member_id or self.medicaid_id or self.mrn)


Find = Callable[[object, Json], Party | None]
"""Follows a reference from the resource that has it."""


def party_of(resource: Json) -> Party:
    """Read the numbers of a Patient, a Coverage or whoever gives care.

    The logical id is none of them: it names a resource on one server and may be another person's member number. A subscriber's number is
    the patient's only where the patient is the subscriber.
    """
    said = objects(resource.get("identifier"))
    own = text(resource.get("subscriberId")) if (code(resource.get("relationship")) or "self") == "self" else ""
    return Party(_typed(said, "MB", "UM") or own, _typed(said, "MA"), _typed(said, "MR"), _npi(said))


def lines_of(benefit: Json, find: Find) -> Iterator[Cells]:
    """Give the lines of one version of a claim: of a withdrawn, replaced or wholly denied one its reversal."""
    claim = {**_patient(benefit, find), "claim_id": _claim_id(benefit), "adjustment": str(_version(benefit))}
    gone = text(benefit.get("status")) in TAKEN_BACK or _relates(benefit, "replacedby") or _is_denied_whole(benefit)
    items = [] if gone else [one for one in objects(benefit.get("item")) if not _is_only_billed(one, benefit)]
    if gone or (items and all(_is_denied(one) for one in items)):
        yield {**claim, "claim_type": "reversal"}
    else:
        header = _header(benefit)
        for item in items:
            kind = {"claim_type": DENIED} if _is_denied(item) else {}
            yield {**claim, **header, **_line(benefit, item, find), **kind}
        if not items:
            yield {**claim, **header, **_diagnoses(benefit, {})}
    for number in dict.fromkeys(_prior(benefit)):
        if number != claim["claim_id"]:
            yield {**_patient(benefit, find), "claim_id": number, "adjustment": str(ADJUSTMENT_MAX), "claim_type": "reversal"}


def _patient(benefit: Json, find: Find) -> Cells:
    """Find the member's numbers: of the patient, else of a coverage."""
    said = member(benefit, "patient", "identifier")
    own = party_of({"identifier": said}) if isinstance(said, dict) else Party()
    if isinstance(said, dict) and not own.names_a_member:
        own = Party(member_id=text(said.get("value")))
    coverages = (find(one.get("coverage"), benefit) for one in objects(benefit.get("insurance")))
    tried = (own, find(benefit.get("patient"), benefit), *coverages)
    party = next((one for one in tried if one is not None and one.names_a_member), Party())
    return {"member_id": party.member_id, "medicaid_id": party.medicaid_id, "mrn": party.mrn}


def _claim_id(benefit: Json) -> str:
    said = objects(benefit.get("identifier"))
    return _typed(said, "UC") or next((value for one in said if (value := text(one.get("value")))), "") or text(benefit.get("id"))


def _version(benefit: Json) -> int:
    """Count versions by the number of the resource's, else by when it was last updated, which the profile requires."""
    number = text(member(benefit, "meta", "versionId"))
    if number.isascii() and number.isdigit():
        return min(int(number), ADJUSTMENT_MAX - 1)
    at = read_instant(member(benefit, "meta", "lastUpdated"))
    return 0 if at is None else min(max(0, int((at - _COUNTED_FROM).total_seconds())), ADJUSTMENT_MAX - 1)


def _relates(benefit: Json, relationship: str) -> bool:
    return any(code(one.get("relationship")) == relationship for one in objects(benefit.get("related")))


def _prior(benefit: Json) -> Iterator[str]:
    """Give the numbers of the claims that this one replaces."""
    for one in objects(benefit.get("related")):
        number = text(member(one, "claim", "identifier", "value")) or text(member(one, "reference", "value"))
        if number and code(one.get("relationship")) == "prior":
            yield number


def replaces_nobody_knows_what(benefit: Json) -> bool:
    """Whether it replaces a claim that it does not name, and is no later version of itself: both would count."""
    return _relates(benefit, "prior") and not any(_prior(benefit)) and _version(benefit) <= 1


def _is_denied_whole(benefit: Json) -> bool:
    return code(member(benefit, "payment", "type")) == DENIED or _is_denied(benefit)


def _is_denied(said: Json) -> bool:
    """Whether a line, or a claim, is denied: it says so, or gives a reason and covers nothing.

    A reason alone is none: it also stands where a part was reduced.
    """
    amounts: dict[str, float] = {}
    has_reason = False
    for one in objects(said.get("adjudication")):
        if code(one.get("reason")) == DENIED:
            return True
        category, amount = code(one.get("category")), member(one, "amount", "value")
        has_reason |= category == "denialreason"
        if isinstance(amount, int | float):
            amounts[category] = amounts.get(category, 0) + amount
    return has_reason and 0 < amounts.get("submitted", 0) <= amounts.get("noncovered", 0)


def _is_only_billed(item: Json, benefit: Json) -> bool:
    """Whether a line has a revenue code alone, as most of an outpatient bill: nothing that a measure can ask for."""
    said = _coded(item.get("productOrService"), PROCEDURES) or _coded(item.get("productOrService"), {NDC})
    return bool(code(item.get("revenue"))) and not said and "discharged_on" not in _header(benefit)


def _header(benefit: Json) -> Cells:
    """Read what holds for every line."""
    said = {"service_date": _day(member(benefit, "billablePeriod", "start"))}
    for one in objects(benefit.get("supportingInfo")):
        category = code(one.get("category"))
        if category == "admissionperiod":
            said["admitted_on"] = _day(member(one, "timingPeriod", "start"))
            said["discharged_on"] = _day(member(one, "timingPeriod", "end"))
        elif category == "dayssupply":
            said["days_supply"] = _whole(member(one, "valueQuantity", "value"))
    return {name: value for name, value in said.items() if value}


def _line(benefit: Json, item: Json, find: Find) -> Cells:
    product = item.get("productOrService")
    on = _day(item.get("servicedDate")) or _day(member(item, "servicedPeriod", "start"))
    said = {
        "claim_line": _number(item),
        "service_date": on,
        "procedure_code": _coded(product, PROCEDURES),
        "ndc": _coded(product, {NDC}),
        "modifier": next((found for one in objects(item.get("modifier")) if (found := code(one))), ""),
        "place_of_service": _coded(item.get("locationCodeableConcept"), PLACES),
        **_diagnoses(benefit, item),
        **_rendering(benefit, item, find),
    }
    return {name: value for name, value in said.items() if value}


def _diagnoses(benefit: Json, item: Json) -> Cells:
    """Read those that the line points at, in its order; without a pointer all, the principal one first."""
    said = [
        (one.get("sequence"), {code(kind) for kind in objects(one.get("type"))}, found)
        for one in objects(benefit.get("diagnosis"))
        if (found := _coded(one.get("diagnosisCodeableConcept"), ICD_10))
    ]
    pointed = item.get("diagnosisSequence")
    if isinstance(pointed, list) and pointed:
        codes = [found for place in pointed for sequence, _, found in said if sequence == place]
    else:
        told = [one for one in said if not one[1] or not one[1] <= NOT_OF_THE_STAY]
        codes = [found for _, _, found in sorted(told, key=lambda one: ("principal" not in one[1], _place(one[0])))]
    return {f"diagnosis_{number}": found for number, found in enumerate(dict.fromkeys(codes), start=1) if number <= DIAGNOSES_MAX}


def _rendering(benefit: Json, item: Json, find: Find) -> Cells:
    """Find who rendered the line in the care team: those whom it points at, else all."""
    team = objects(benefit.get("careTeam"))
    pointed = item.get("careTeamSequence")
    if isinstance(pointed, list) and pointed:
        team = [one for one in team if one.get("sequence") in pointed]
    roles = (*RENDERING, ATTENDING) if code(benefit.get("type")) == "institutional" else RENDERING
    chosen = next((one for role in roles for one in team if code(one.get("role")) == role), None)
    if chosen is None:
        chosen = next((one for one in team if not code(one.get("role"))), {}) if len(team) == 1 else {}
    behind = find(chosen.get("provider"), benefit)
    number = _npi(objects(member(chosen, "provider", "identifier"))) or (behind.npi if behind is not None else "")
    return {"rendering_npi": number, "taxonomy": _coded(chosen.get("qualification"), TAXONOMIES)}


def _typed(said: list[Json], *kinds: str) -> str:
    """Give the first number of the first kind that is there."""
    return next((value for kind in kinds for one in said if has_type(one, kind) and (value := text(one.get("value")))), "")


def _npi(said: list[Json]) -> str:
    return next((text(one.get("value")) for one in said if text(one.get("system")) == NPI or has_type(one, "NPI")), "")


def _coded(concept: object, systems: frozenset[str] | set[str]) -> str:
    return next((text(one.get("code")) for one in objects(member(concept, "coding")) if text(one.get("system")) in systems), "")


def _number(item: Json) -> str:
    return _whole(item.get("sequence"))


def _place(sequence: object) -> int:
    return sequence if isinstance(sequence, int) else 0


def _whole(value: object) -> str:
    """Write a number without a fraction of zero; what has another one is no count, and is refused as a cell."""
    return str(int(value)) if isinstance(value, int | float) and value == int(value) else "" if value is None else str(value)


def _day(value: object) -> str:
    """Take the day as it is written, in whichever zone that was."""
    return text(value).partition("T")[0]
