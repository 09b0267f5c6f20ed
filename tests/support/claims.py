"""Writes synthetic claims in each form in which they are taken: CSV, FHIR ExplanationOfBenefit (CARIN Blue Button), Parquet. Twins.

A claim is its lines, each the cells of a row. Not here: what they mean.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Line = dict[str, str]

CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
NDC = "http://hl7.org/fhir/sid/ndc"
POS = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
NPI = "http://hl7.org/fhir/sid/us-npi"
REVENUE = "https://www.nubc.org/CodeSystem/RevenueCodes"


def coded(code: str, system: str) -> Json:
    """Write a CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def benefit(lines: Sequence[Line], *, member: Json | None = None, **more: Any) -> Json:
    """Write the lines of one version of a claim as an ExplanationOfBenefit; `more` replaces its elements."""
    first = lines[0]
    kind = "pharmacy" if first.get("ndc") else "institutional" if first.get("discharged_on") else "professional"
    whole = [one for one in lines if not one.get("claim_line")]
    patient = {"identifier": {"type": coded("MB", TYPES), "value": first["member_id"]}}
    said: Json = {
        "resourceType": "ExplanationOfBenefit",
        "id": f"{first['claim_id']}-{first['adjustment']}",
        "meta": {"versionId": first["adjustment"]},
        "identifier": [{"type": coded("uc", f"{CARIN}/C4BBIdentifierType"), "value": first["claim_id"]}],
        "status": "cancelled" if whole else "active",
        "type": coded(kind, "http://terminology.hl7.org/CodeSystem/claim-type"),
        "use": "claim",
        "patient": member or patient,
        "created": "2026-03-31",
        "insurer": {"display": "Plan C"},
        "provider": {"display": "Practice"},
        "outcome": "complete",
        "insurance": [{"focal": True, "coverage": {"display": "Plan C"}}],
    }
    _diagnoses(said, lines)
    if first.get("rendering_npi"):
        number = {"identifier": {"system": NPI, "value": first["rendering_npi"]}}
        said["careTeam"] = [
            {"sequence": 1, "provider": {"display": "Billing"}, "role": coded("referring", f"{CARIN}/C4BBClaimCareTeamRole")},
            {"sequence": 2, "provider": number, "role": coded("performing", "http://terminology.hl7.org/CodeSystem/claimcareteamrole")},
        ]
    info = []
    if first.get("admitted_on"):
        period = {"start": first["admitted_on"], "end": f"{first['discharged_on']}T11:00:00-05:00"}
        info.append({"category": coded("admissionperiod", f"{CARIN}/C4BBSupportingInfoType"), "timingPeriod": period})
    if first.get("days_supply"):
        quantity = {"value": int(first["days_supply"])}
        info.append({"category": coded("dayssupply", f"{CARIN}/C4BBSupportingInfoType"), "valueQuantity": quantity})
    if info:
        said["supportingInfo"] = [{"sequence": place, **one} for place, one in enumerate(info, start=1)]
    if not whole:
        said["item"] = [_item(one) for one in lines]
    return said | more


def _diagnoses(said: Json, lines: Sequence[Line]) -> None:
    codes = [code for number in range(1, 13) if (code := lines[0].get(f"diagnosis_{number}"))]
    if codes:
        # The principal one is not the first, and the admitting one is not counted.
        told = [(code, "principal" if code == codes[0] else "other") for code in (*codes[1:], codes[0])] + [("R45.1", "admitting")]
        said["diagnosis"] = [
            {"sequence": place, "diagnosisCodeableConcept": coded(code, ICD), "type": [coded(kind, "urn:types")]}
            for place, (code, kind) in enumerate(told, start=1)
        ]


def _item(line: Line) -> Json:
    product = coded(line["procedure_code"], CPT) if line.get("procedure_code") else coded(line["ndc"], NDC) if line.get("ndc") else None
    said: Json = {
        "sequence": int(line["claim_line"]),
        "productOrService": product or coded("not-applicable", "http://terminology.hl7.org/CodeSystem/data-absent-reason"),
        "revenue": coded("0124", REVENUE) if product is None else None,
        "servicedDate": line.get("service_date") or "2026-03-09",
        "modifier": [coded(line["modifier"], CPT)] if line.get("modifier") else None,
        "locationCodeableConcept": coded(line["place_of_service"], POS) if line.get("place_of_service") else None,
    }
    if line.get("claim_type") == "denied":
        status = f"{CARIN}/C4BBPayerAdjudicationStatus"
        category = coded("benefitpaymentstatus", f"{CARIN}/C4BBAdjudicationDiscriminator")
        said["adjudication"] = [{"category": category, "reason": coded("denied", status)}]
    return {name: value for name, value in said.items() if value is not None}


def versions(lines: Sequence[Line]) -> list[list[Line]]:
    """Give the lines by the version of their claim, in order."""
    found: dict[tuple[str, str], list[Line]] = {}
    for one in lines:
        found.setdefault((one["claim_id"], one["adjustment"]), []).append(one)
    return list(found.values())


def as_csv(lines: Sequence[Line]) -> bytes:
    """Write CSV."""
    names = list(dict.fromkeys(name for one in lines for name in one))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def as_ndjson(lines: Sequence[Line]) -> bytes:
    """Write an ExplanationOfBenefit a line."""
    return b"".join(json.dumps(benefit(one)).encode() + b"\n" for one in versions(lines))


def as_bundle(lines: Sequence[Line]) -> bytes:
    """Write a Bundle over many lines, whose claims refer to a Patient after them."""
    numbers = {one["member_id"] for one in lines}
    patients = [
        {"resourceType": "Patient", "id": f"opaque-{place}", "identifier": [{"type": coded("MB", TYPES), "value": number}]}
        for place, number in enumerate(sorted(numbers))
    ]
    by_number = {one["identifier"][0]["value"]: {"reference": f"Patient/{one['id']}"} for one in patients}
    claims = [benefit(one, member=by_number[one[0]["member_id"]]) for one in versions(lines)]
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in (*claims, *patients)]}, indent=1
    ).encode()


def as_parquet(lines: Sequence[Line]) -> bytes:
    """Write Parquet, as frames of numbers and dates do: gaps make whole numbers fractions. Needs pyarrow."""
    from datetime import date  # noqa: PLC0415 - beside its only user

    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    names = list(dict.fromkeys(name for one in lines for name in one))
    columns: dict[str, Any] = {}
    for name in names:
        cells = [one.get(name) or None for one in lines]
        if name in ("service_date", "admitted_on", "discharged_on"):
            columns[name] = pa.array([cell and date.fromisoformat(cell) for cell in cells], pa.date32())
        elif name in ("adjustment", "days_supply"):
            columns[name] = pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())
        elif name == "claim_line":
            columns[name] = pa.array([None if cell is None else int(cell) for cell in cells], pa.int32())
        else:
            columns[name] = pa.array(cells, pa.string())
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, row_group_size=3)
    return written.getvalue()
