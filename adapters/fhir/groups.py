"""A panel as a Group of the Da Vinci Member Attribution List (ATR), and the Parameters of `$member-add` and `$member-remove`.

Standard: FHIR R4, Da Vinci ATR 2.1 (rules ATR-1, ATR-2). Out: plain dicts. In: read without trust, every problem with its place. Not
here: the routes (app/api/fhir_groups), what a change does (domain/panel_group).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from adapters.fhir.values import Json, member, objects, text, texts
from app.domain.adt_event import Identifier
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.organization import is_valid_npi
from app.domain.panel_group import PROVIDER_COLUMN, GroupMember, MemberAsk, PanelGroup

GUIDE: Final = "http://hl7.org/fhir/us/davinci-atr"
PROFILE: Final = f"{GUIDE}/StructureDefinition/atr-group"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
URN: Final = "urn:ietf:rfc:3986"
_EXTENSION: Final = f"{GUIDE}/StructureDefinition/ext-"
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_SUBSETTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_NUMBERS: Final = (("member_id", "MB", "member_id_system"), ("medicaid_id", "MA", ""), ("mrn", "MR", "mrn_system"))
_GENDERS: Final = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T.*)?", re.ASCII)
_PATIENT: Final = re.compile(r"(?:.*/)?Patient/([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/_history/.*)?", re.ASCII)


class Groups:
    """Writes groups and reads what is asked of them."""

    def group(self, panel: PanelGroup, members: Sequence[GroupMember], today: date, *, is_whole: bool) -> Json:
        """Give a Group; one that has not all of its members says so (SUBSETTED)."""
        hidden = {} if is_whole else {"tag": [_SUBSETTED]}
        numbers: list[Json] = [{"use": "official", "system": URN, "value": f"urn:uuid:{panel.organization_id}"}]
        owner: Json = {"display": panel.name, "type": "Organization"}
        if panel.npi:
            numbers.append({"type": _coded("NPI"), "system": NPI, "value": panel.npi})
            owner["identifier"] = {"system": NPI, "value": panel.npi}
        found: Json = {
            "resourceType": "Group",
            "id": panel.organization_id.hex,
            "meta": {"lastUpdated": panel.updated_at.isoformat(), "profile": [PROFILE], **hidden},
            "extension": [{"url": f"{_EXTENSION}attributionListStatus", "valueCode": "open"}],
            "identifier": numbers,
            "active": True,
            "type": "person",
            "actual": True,
            "name": panel.name,
            "managingEntity": owner,
        }
        if panel.members is not None:
            found["quantity"] = panel.members
        if members:
            found["member"] = [_member(one, panel, today) for one in members]
        return found

    def bundle(self, groups: Sequence[Json], *, self_url: str, next_url: str | None) -> Json:
        """Give a page of search results."""
        links = [{"relation": "self", "url": self_url}, *([{"relation": "next", "url": next_url}] if next_url else [])]
        entries = [{"fullUrl": f"urn:uuid:{UUID(one['id'])}", "resource": one, "search": {"mode": "match"}} for one in groups]
        return {"resourceType": "Bundle", "type": "searchset", "link": links, **({"entry": entries} if entries else {})}

    def ask(self, document: object) -> MemberAsk | Sequence[Problem]:
        """Read the Parameters of an operation, or say what is wrong with them."""
        if member(document, "resourceType") != "Parameters":
            return [_wrong(ProblemCode.SEGMENT_SEQUENCE, "Parameters", "Send a Parameters resource.")]
        reading = _Reading()
        for place, one in enumerate(objects(member(document, "parameter"))):
            reading.take(one, f"Parameters.parameter[{place}]")
        return reading.result()


class _Reading:
    """What has been read of the parameters so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.said: dict[str, Any] = {}

    def take(self, parameter: Json, place: str) -> None:
        """Read one parameter. One that is not of these operations is refused: a misspelt one must not be passed over."""
        readers = {
            "memberId": self._member_id,
            "providerNpi": self._provider_npi,
            "patientReference": self._patient_reference,
            "providerReference": self._provider_reference,
            "coverageReference": self._coverage_reference,
            "attributionPeriod": self._period,
            "program": self._program,
            "patient": self._patient,
        }
        read = readers.get(text(parameter.get("name")))
        if read is None:
            self._wrong(ProblemCode.TABLE_VALUE, f"{place}.name", f"The parameter is not one of {', '.join(readers)}.")
        else:
            read(parameter, place)

    def _member_id(self, parameter: Json, place: str) -> None:
        said = member(parameter, "valueIdentifier")
        value = text(member(said, "value"))
        if value:
            self.said["member"] = Identifier(text(member(said, "system")) or text(member(said, "assigner", "display")), "", value)
        else:
            self._wrong(ProblemCode.REQUIRED_FIELD_MISSING, f"{place}.value.value", "The identifier has no value.")

    def _provider_npi(self, parameter: Json, place: str) -> None:
        number = text(member(parameter, "valueIdentifier", "value")) or text(parameter.get("valueString"))
        if not is_valid_npi(number):
            self._wrong(ProblemCode.DATA_TYPE, place, "This is no National Provider Identifier: ten digits with a check digit.")
        self.said["provider_npi"] = number

    def _patient_reference(self, parameter: Json, place: str) -> None:
        found = _PATIENT.fullmatch(text(member(parameter, "valueReference", "reference")))
        if found is None:
            self._wrong(ProblemCode.DATA_TYPE, place, "Give Patient/ and the id of a member, as Group.member.entity has it.")
        else:
            self.said["person_id"] = UUID(found[1])

    def _provider_reference(self, parameter: Json, place: str) -> None:
        number = text(member(parameter, "valueReference", "identifier", "value"))
        if member(parameter, "valueReference", "identifier", "system") == NPI and is_valid_npi(number):
            self.said["provider_npi"] = number
        else:
            self._wrong(ProblemCode.DATA_TYPE, place, "Give the provider's NPI as the identifier of the reference.")

    def _coverage_reference(self, parameter: Json, _place: str) -> None:
        reference = member(parameter, "valueReference")
        self.said["plan_id"] = text(member(reference, "identifier", "value")) or text(member(reference, "reference"))

    def _period(self, parameter: Json, place: str) -> None:
        period = member(parameter, "valuePeriod")
        self.said |= {ours: self._day(period, theirs, place) for ours, theirs in (("starts_on", "start"), ("ends_on", "end"))}

    def _program(self, parameter: Json, _place: str) -> None:
        self.said["program"] = text(parameter.get("valueString")) or text(member(parameter, "valueCode"))

    def _patient(self, parameter: Json, _place: str) -> None:
        self.said["patient"] = _cells(member(parameter, "resource"))

    def result(self) -> MemberAsk | Sequence[Problem]:
        """Give what is asked, if it names one member."""
        named = ("member" in self.said) + ("person_id" in self.said)
        if not self.problems and named + ("patient" in self.said) == 0:
            self._wrong(ProblemCode.REQUIRED_FIELD_MISSING, "Parameters.parameter", "Name the member: memberId or patientReference.")
        if not self.problems and named > 1:
            self._wrong(ProblemCode.SEGMENT_SEQUENCE, "Parameters.parameter", "Name the member by memberId or patientReference, not both.")
        return self.problems or MemberAsk(**self.said)

    def _day(self, period: object, name: str, place: str) -> date | None:
        said = text(member(period, name))
        if not said:
            return None
        if found := _DAY.fullmatch(said):
            with suppress(ValueError):
                return date.fromisoformat(found[1])
        self._wrong(ProblemCode.DATA_TYPE, f"{place}.value.{name}", "Give a whole date: YYYY-MM-DD.")
        return None

    def _wrong(self, code: ProblemCode, place: str, sentence: str) -> None:
        self.problems.append(_wrong(code, place, sentence))


def _member(one: GroupMember, panel: PanelGroup, today: date) -> Json:
    change = one.change(panel.upload_id, today)
    extensions: list[Json] = [{"url": f"{_EXTENSION}changeType", "valueCode": change.value}]
    if npi := one.cells.get(PROVIDER_COLUMN):
        extensions.append(
            {
                "url": f"{_EXTENSION}attributedProvider",
                "valueReference": {"type": "Practitioner", "identifier": {"system": NPI, "value": npi}},
            }
        )
    if one.plan_id:
        extensions.append(
            {"url": f"{_EXTENSION}coverageReference", "valueReference": {"type": "Coverage", "identifier": {"value": one.plan_id}}}
        )
    entity: Json = {"reference": f"Patient/{one.person_id.hex}", "type": "Patient"}
    for column, code, system in _NUMBERS:
        if value := one.cells.get(column):
            entity["identifier"] = {"type": _coded(code), "value": value}
            if authority := one.cells.get(system):
                entity["identifier"]["assigner"] = {"display": authority}
            break
    period: Json = {"start": one.effective_from.isoformat()}
    if one.effective_to is not None:
        # FHIR's end is the last day itself.
        period["end"] = (one.effective_to - timedelta(days=1)).isoformat()
    return {"extension": extensions, "entity": entity, "period": period, "inactive": one.is_over(today)}


def _coded(code: str) -> Json:
    return {"coding": [{"system": _TYPES, "code": code}]}


def _cells(patient: object) -> Mapping[str, str]:
    """Give what a Patient says as cells of a roster row."""
    name = next(iter(objects(member(patient, "name"))), {})
    given = texts(member(name, "given"))
    cells = {
        "last_name": text(member(name, "family")),
        "first_name": given[0] if given else "",
        "middle_name": " ".join(given[1:]),
        "birth_date": text(member(patient, "birthDate")),
        "sex": _GENDERS.get(text(member(patient, "gender")), ""),
    }
    for telecom in objects(member(patient, "telecom")):
        if telecom.get("system") == "phone" and text(telecom.get("value")):
            cells.setdefault("phone", text(telecom["value"]))
    for address in objects(member(patient, "address"))[:1]:
        cells["address"] = " ".join(texts(member(address, "line")))
        cells |= {ours: text(member(address, theirs)) for ours, theirs in (("city", "city"), ("state", "state"), ("zip", "postalCode"))}
    for said in objects(member(patient, "identifier")):
        for column, code, system in _NUMBERS:
            if any(coding.get("code") == code for coding in objects(member(said, "type", "coding"))) and text(said.get("value")):
                cells.setdefault(column, text(said["value"]))
                if system:
                    cells.setdefault(system, text(said.get("system")) or text(member(said, "assigner", "display")))
                break
    return {column: cell for column, cell in cells.items() if cell}


def _wrong(code: ProblemCode, place: str, sentence: str) -> Problem:
    return Problem(code, Severity.ERROR, place, sentence)
