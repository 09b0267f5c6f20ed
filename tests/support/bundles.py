"""Builds synthetic FHIR notification messages, with the same keywords as `tests.support.messages.adt` builds HL7 v2 ones: its twins."""

import json
from datetime import datetime
from typing import Any

Json = dict[str, Any]

DA_VINCI = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
OWN = "urn:warm-handoff:notification-event"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0003"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
ROLES = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

EVENTS = {
    "A01": (DA_VINCI, "notification-admit"),
    "A02": (DA_VINCI, "notification-transfer"),
    "A03": (DA_VINCI, "notification-discharge"),
    "A04": (DA_VINCI, "notification-admit"),
    "A05": (DA_VINCI, "notification-admit"),
    "A06": (V2, "A06"),
    "A07": (V2, "A07"),
    "A08": (OWN, "notification-update"),
    "A11": (OWN, "notification-cancel-admit"),
    "A12": (OWN, "notification-cancel-transfer"),
    "A13": (OWN, "notification-cancel-discharge"),
    "A28": (V2, "A28"),
    "A31": (V2, "A31"),
}
"""HL7 v2 trigger -> the event that says the same."""
CLASSES = {"I": "IMP", "E": "EMER", "O": "AMB", "P": "PRENC", "OBS": "OBSENC"}
STATUSES = {"A03": "finished", "A05": "planned", "A11": "cancelled"}
USES = {"A": "AD", "F": "DD", "W": "CM"}
GENDERS = {"F": "female", "M": "male", "O": "other", "U": "unknown"}

HEADER, ENCOUNTER, PATIENT, LOCATION, PRACTITIONER, HOUSE = (f"urn:uuid:0199a4c0-7c5d-7e0f-b1d2-00000000000{digit}" for digit in range(6))


def instant(stamp: str) -> str:
    """Write an HL7 v2 time with its offset as FHIR writes it."""
    return datetime.strptime(stamp, "%Y%m%d%H%M%S%z").isoformat()


def day(stamp: str) -> str:
    """Write an HL7 v2 date as FHIR writes it."""
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"


def typed(kind: str, system: str, value: str) -> Json:
    """Write an identifier with its type."""
    return {"type": {"coding": [{"system": TYPES, "code": kind}]}, "system": system, "value": value}


def bundle(  # one keyword for each thing that tests vary
    trigger: str,
    at: str,
    *,
    control: str,
    mrn: str = "M1",
    visit: str | None = "V1",
    facility: str = "HOSPA",
    medicaid: str | None = "MC1",
    name: str = "Alder^Ann",
    born: str = "19800102",
    sex: str = "F",
    patient_class: str | None = "I",
    unit: str = "PSY",
    admitted: str = "",
    discharged: str = "",
    disposition: str = "",
    diagnoses: tuple[tuple[str, str], ...] = (),
    application: str = "EPIC",
    event: tuple[str, str] | None = None,
    status: str | None = None,
) -> Json:
    """Build the twin of `adt(...)` with the same arguments, as a document that a test may change."""
    system, code = event or EVENTS[trigger]
    family, given = name.split("^")
    patient: Json = {
        "resourceType": "Patient",
        "id": "patient",
        "identifier": [typed("MR", facility, mrn), *([typed("MA", "MAINECARE", medicaid)] if medicaid else [])],
        # FHIR has no empty string: what is not known is not there.
        "name": [{"use": "official", "family": family} | ({"given": [given]} if given else {})],
        "birthDate": day(born),
        "gender": GENDERS[sex],
        "address": [{"use": "home", "line": ["1 Elm St"], "city": "Bangor", "state": "ME", "postalCode": "04401"}],
        "telecom": [{"system": "phone", "use": "home", "value": "2075550101"}],
    }
    entries = [(PATIENT, patient)]
    if patient_class is not None:
        encounter: Json = {
            "resourceType": "Encounter",
            "id": "encounter",
            "status": status or STATUSES.get(trigger, "in-progress"),
            "class": {"system": ACT, "code": CLASSES[patient_class]},
            "type": [{"text": "Synthetic"}],
            "subject": {"reference": PATIENT},
            "location": [{"location": {"reference": LOCATION}}],
            "participant": [{"individual": {"reference": PRACTITIONER}}],
            "serviceProvider": {"reference": HOUSE},
        }
        if visit is not None:
            encounter["identifier"] = [typed("VN", facility, visit)]
        period = {"start": instant(admitted) if admitted else "", "end": instant(discharged) if discharged else ""}
        if any(period.values()):
            encounter["period"] = {key: value for key, value in period.items() if value}
        if disposition:
            encounter["hospitalization"] = {"dischargeDisposition": {"coding": [{"code": disposition}]}}
        conditions = [
            (
                f"urn:uuid:0199a4c0-7c5d-7e0f-b1d2-00000000010{position}",
                {
                    "resourceType": "Condition",
                    "id": f"condition-{position}",
                    "subject": {"reference": PATIENT},
                    "encounter": {"reference": ENCOUNTER},
                    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": found, "display": "Synthetic"}]},
                },
            )
            for position, (found, _) in enumerate(diagnoses, start=1)
        ]
        if conditions:
            encounter["diagnosis"] = [
                {"condition": {"reference": url}, "use": {"coding": [{"system": ROLES, "code": USES[use]}]}, "rank": position}
                for position, ((url, _), (_, use)) in enumerate(zip(conditions, diagnoses, strict=True), start=1)
            ]
        house = {"resourceType": "Organization", "id": "house", "name": facility}
        entries = [
            (ENCOUNTER, encounter),
            *entries,
            (LOCATION, {"resourceType": "Location", "id": "unit", "name": unit, **_physical("wa")}),
            (
                PRACTITIONER,
                {
                    "resourceType": "Practitioner",
                    "id": "attending",
                    "identifier": [{"value": "1234567893"}],
                    "name": [{"family": "Oak", "given": ["Olive"]}],
                },
            ),
            (HOUSE, house),
            *conditions,
        ]
    else:
        entries.append((HOUSE, {"resourceType": "Organization", "id": "house", "name": facility}))
    header: Json = {
        "resourceType": "MessageHeader",
        "id": f"{control}-header",
        "eventCoding": {"system": system, "code": code},
        "source": {"name": application, "endpoint": f"https://{application.lower()}.example.org/fhir"},
        "sender": {"reference": HOUSE},
        "focus": [{"reference": ENCOUNTER if patient_class is not None else PATIENT}],
    }
    return {
        "resourceType": "Bundle",
        "id": control,
        "type": "message",
        "timestamp": instant(at),
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in [(HEADER, header), *entries]],
    }


def _physical(code: str) -> Json:
    return {"physicalType": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/location-physical-type", "code": code}]}}


def resource(document: Json, name: str) -> Json:
    """Find the first resource of a type in a bundle."""
    found: Json = next(entry["resource"] for entry in document["entry"] if entry["resource"]["resourceType"] == name)
    return found


def written(document: Json) -> bytes:
    """Write a bundle as senders do."""
    return json.dumps(document, indent=1).encode()
