"""Builds synthetic messages about documents, in HL7 v2 (MDM, ORU) and as the FHIR twin of an MDM."""

import base64
from typing import Any

from tests.support.bundles import ENCOUNTER, PATIENT, Json, bundle, instant
from tests.support.messages import patient, segment

PDF = b"%PDF-1.4 synthetic discharge summary of nobody\n%%EOF"
DOCUMENT = "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-000000000200"
SUMMARY = "18842-5^Discharge summary^LN"


def pdf(data: bytes = PDF) -> str:
    """Write an OBX with a PDF."""
    return segment("OBX", {1: "1", 2: "ED", 3: SUMMARY, 5: f"^application^PDF^Base64^{base64.b64encode(data).decode()}", 11: "F"})


def mdm(  # one keyword for each thing that tests vary
    trigger: str = "T02",
    at: str = "20260306160000-0500",
    *,
    control: str,
    number: str | None = "D1",
    parent: str | None = None,
    kind: str = SUMMARY,
    mrn: str = "M1",
    visit: str | None = "V1",
    account: str | None = None,
    facility: str = "HOSPA",
    application: str = "EPIC",
    confidentiality: str = "",
    availability: str = "AV",
    completion: str = "AU",
    activity: str = "20260306150000-0500",
    observations: tuple[str, ...] | None = None,
    name: str = "Alder^Ann",
    medicaid: str | None = "MC1",
    processing: str = "P",
) -> bytes:
    """Write one MDM; by default the discharge summary of Ann's stay, as a PDF."""
    txa = {1: "1", 2: kind, 3: "AP", 4: activity, 17: completion, 18: confidentiality, 19: availability}
    if number is not None:
        txa[12] = f"{number}^{facility}"
    if parent is not None:
        txa[13] = f"{parent}^{facility}"
    pv1 = {1: "1", 2: "I", 3: f"PSY^101^1^{facility}", **({19: f"{visit}^^^{facility}^VN"} if visit else {})}
    lines = [
        f"MSH|^~\\&|{application}|{facility}|HANDOFF|HIE|{at}||MDM^{trigger}^MDM_T02|{control}|{processing}|2.5.1",
        segment("EVN", {1: trigger, 2: at}),
        patient(mrn, facility, medicaid=medicaid, account=account, name=name),
        segment("PV1", pv1),
        segment("TXA", txa),
        *((pdf(),) if observations is None else observations),
    ]
    return ("\r".join(lines) + "\r").encode()


def oru(
    at: str = "20260303090000-0500",
    *,
    control: str,
    order: str = "L1",
    kind: str = "24323-8^Comprehensive metabolic panel^LN",
    mrn: str = "M1",
    visit: str | None = "V1",
    facility: str = "HOSPA",
    status: str = "F",
    observations: tuple[str, ...] = ("OBX|1|NM|2345-7^Glucose^LN||98|mg/dL|||||F",),
    name: str = "Alder^Ann",
    medicaid: str | None = "MC1",
) -> bytes:
    """Write one ORU^R01 with one result."""
    pv1 = {1: "1", 2: "I", 3: f"PSY^101^1^{facility}", **({19: f"{visit}^^^{facility}^VN"} if visit else {})}
    lines = [
        f"MSH|^~\\&|EPIC|{facility}|HANDOFF|HIE|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1",
        patient(mrn, facility, medicaid=medicaid, name=name),
        segment("PV1", pv1),
        segment("OBR", {1: "1", 3: f"{order}^LAB", 4: kind, 7: at, 22: at, 25: status}),
        *observations,
    ]
    return ("\r".join(lines) + "\r").encode()


def document_reference(**changed: Any) -> Json:
    """Build a DocumentReference that says what `mdm()` says."""
    return {
        "resourceType": "DocumentReference",
        "id": "document",
        "masterIdentifier": {"system": "HOSPA", "value": "D1"},
        "status": "current",
        "docStatus": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5", "display": "Discharge summary"}]},
        "subject": {"reference": PATIENT},
        "date": instant("20260306150000-0500"),
        "content": [{"attachment": {"contentType": "application/pdf", "data": base64.b64encode(PDF).decode()}}],
        "context": {"encounter": [{"reference": ENCOUNTER}]},
        **changed,
    }


def with_document(message: Json, document: Json) -> Json:
    """Put a DocumentReference into a message."""
    return {**message, "entry": [*message["entry"], {"fullUrl": DOCUMENT, "resource": document}]}


def about_document(message: Json, document: Json) -> Json:
    """Make a message one about a document: it has it, and it is its focus."""
    whole = with_document(message, document)
    header = {**whole["entry"][0]["resource"], "focus": [{"reference": DOCUMENT}]}
    return {**whole, "entry": [{**whole["entry"][0], "resource": header}, *whole["entry"][1:]]}


def summary_report(control: str, at: str = "20260306160000-0500", **changed: Any) -> Json:
    """Build a message whose focus is a DocumentReference alone; the twin of `mdm()`."""
    event = ("http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event", "notification-summary-report")
    return about_document(bundle("A08", at, control=control, event=event), document_reference(**changed))
