"""The code systems that decide how a message is read, as data with their source. What a sender does differently is in its feed's profile.

Required bindings are checked against these lists, because the models check shapes only. Not here: code systems of the domain
(app/standards), and codes that are passed on as sent.
"""

from collections.abc import Mapping
from typing import Final

from app.domain.adt_event import DiagnosisUse, EncounterClass
from app.domain.document import Completion
from app.domain.trigger import DOCUMENT_TRIGGERS, Trigger

NOTIFICATION_EVENT: Final = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
V2_EVENT: Final = "http://terminology.hl7.org/CodeSystem/v2-0003"
OWN_EVENT: Final = "urn:warm-handoff:notification-event"
"""Da Vinci has no code for a cancel or a plain update (DV-4); these are ours. Table 0003 says the same and is taken too."""

DA_VINCI_EVENTS: Final = frozenset(
    f"notification-{name}"
    for name in (
        "refill-request", "progress-update", "appointment-reminder", "phone-consult", "summary-report", "admit", "discharge", "transfer",
        "referral", "tx-change", "lab-report", "tx-issue", "ordered-device", "prior-auth-notice", "new-condition", "care-team-change",
        "coverage-change", "social-determinants-change", "public-health", "outpatient-visit", "vitals", "pharmacy", "workers-comp",
    )
)  # fmt: skip
"""Da Vinci Unsolicited Notifications 1.1.0, CodeSystem notification-event: 23 codes."""

STAY_EVENTS: Final[Mapping[tuple[str, str], Trigger]] = {
    (NOTIFICATION_EVENT, "notification-admit"): Trigger.ADMIT,
    (NOTIFICATION_EVENT, "notification-outpatient-visit"): Trigger.REGISTER,
    (NOTIFICATION_EVENT, "notification-transfer"): Trigger.TRANSFER,
    (NOTIFICATION_EVENT, "notification-discharge"): Trigger.DISCHARGE,
    (NOTIFICATION_EVENT, "notification-progress-update"): Trigger.UPDATE,
    (NOTIFICATION_EVENT, "notification-new-condition"): Trigger.UPDATE,
    (OWN_EVENT, "notification-update"): Trigger.UPDATE,
    (OWN_EVENT, "notification-cancel-admit"): Trigger.CANCEL_ADMIT,
    (OWN_EVENT, "notification-cancel-transfer"): Trigger.CANCEL_TRANSFER,
    (OWN_EVENT, "notification-cancel-discharge"): Trigger.CANCEL_DISCHARGE,
    **{
        (V2_EVENT, trigger.value): trigger
        for trigger in (
            Trigger.ADMIT, Trigger.TRANSFER, Trigger.DISCHARGE, Trigger.REGISTER, Trigger.PRE_ADMIT, Trigger.TO_INPATIENT,
            Trigger.TO_OUTPATIENT, Trigger.UPDATE, Trigger.CANCEL_ADMIT, Trigger.CANCEL_TRANSFER, Trigger.CANCEL_DISCHARGE,
        )
    },
}  # fmt: skip
"""Events about a stay: the focus leads to an Encounter."""

PERSON_EVENTS: Final[Mapping[tuple[str, str], Trigger]] = {
    (NOTIFICATION_EVENT, "notification-vitals"): Trigger.UPDATE_PERSON,
    (NOTIFICATION_EVENT, "notification-coverage-change"): Trigger.UPDATE_PERSON,
    (V2_EVENT, Trigger.ADD_PERSON.value): Trigger.ADD_PERSON,
    (V2_EVENT, Trigger.UPDATE_PERSON.value): Trigger.UPDATE_PERSON,
}
"""Events about a person: the focus leads to a Patient. `notification-vitals` tells births and deaths."""

DOCUMENT_EVENTS: Final[Mapping[tuple[str, str], Trigger]] = {
    (NOTIFICATION_EVENT, "notification-summary-report"): Trigger.DOCUMENT_CONTENT,
    **{(V2_EVENT, trigger.value): trigger for trigger in sorted(DOCUMENT_TRIGGERS)},
}
"""Events about documents: the message has DocumentReferences. Those beside the Encounter of another event are read as well."""

EVENTS: Final = {**STAY_EVENTS, **PERSON_EVENTS, **DOCUMENT_EVENTS}
SUPPORTED: Final = frozenset(code for _, code in EVENTS)
"""Codes that change something here. The other Da Vinci codes are stored, answered 200 and marked ignored (as ACK-4)."""
ADDS_DIAGNOSES: Final = frozenset({"notification-new-condition"})
"""Its conditions come on top of what is known; those of every other event are the whole set (ADT-2)."""

ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CLASSES: Final[Mapping[str, EncounterClass]] = {
    "EMER": EncounterClass.EMERGENCY,
    "IMP": EncounterClass.INPATIENT,
    "ACUTE": EncounterClass.INPATIENT,
    "NONAC": EncounterClass.INPATIENT,
    "OBSENC": EncounterClass.OBSERVATION,
    "PRENC": EncounterClass.PREADMIT,
    "AMB": EncounterClass.OUTPATIENT,
    "SS": EncounterClass.OUTPATIENT,
    "VR": EncounterClass.OUTPATIENT,
    "HH": EncounterClass.OUTPATIENT,
    "FLD": EncounterClass.OUTPATIENT,
    # v2 table 0004, where the standard's own map keeps the v2 code (ADT-1), and from senders that translate word by word.
    "E": EncounterClass.EMERGENCY,
    "I": EncounterClass.INPATIENT,
    "O": EncounterClass.OUTPATIENT,
    "P": EncounterClass.PREADMIT,
    "R": EncounterClass.RECURRING,
    "B": EncounterClass.OBSTETRICS,
    "C": EncounterClass.UNKNOWN,
    "N": EncounterClass.UNKNOWN,
    "U": EncounterClass.UNKNOWN,
}
"""HL7 v3 ActCode (ActEncounterCode) and v2 table 0004."""

SEX: Final[Mapping[str, str]] = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
"""FHIR administrative-gender -> v2 table 0001 (v2-to-FHIR, Table HL70001)."""

DISPOSITIONS: Final[Mapping[str, str]] = {
    "HOME": "01", "ALT-HOME": "04", "OTHER-HCF": "70", "HOSP": "50", "LONG": "63", "AADVICE": "07", "EXP": "20", "PSY": "65",
    "REHAB": "62", "SNF": "03",
}  # fmt: skip
"""FHIR discharge-disposition -> the UB-04 status that means the same place (our reading; `oth` says nothing and is kept)."""

DIAGNOSIS_USES: Final[Mapping[str, DiagnosisUse]] = {
    "AD": DiagnosisUse.ADMITTING,
    "DD": DiagnosisUse.FINAL,
    "BILLING": DiagnosisUse.FINAL,
    # v2 table 0052, from senders that translate word by word.
    "A": DiagnosisUse.ADMITTING,
    "W": DiagnosisUse.WORKING,
    "F": DiagnosisUse.FINAL,
}
"""FHIR diagnosis-role (Encounter.diagnosis.use); every other role, and none, is a working diagnosis."""

LOINC: Final = "http://loinc.org"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
UNRESTRICTED: Final = frozenset({"U", "L", "M", "N"})
"""HL7 v3 Confidentiality up to normal. Every other label (R, V, a sensitivity such as PSY or ETH) restricts."""
COMPLETIONS: Final[Mapping[str, Completion]] = {
    "preliminary": Completion.PRELIMINARY,
    "final": Completion.FINAL,
    "amended": Completion.AMENDED,
}
"""FHIR composition-status (DocumentReference.docStatus); entered-in-error takes the document back."""

ICD_10: Final = frozenset({"http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90"})
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
SSN: Final = frozenset({"http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"})
NOT_READ_TYPES: Final = frozenset({"SS", "DL", "PPN", "CZ", "SB"})
"""Social security, licence and passport numbers (v2 table 0203) are not needed to notify, so they are not read."""
KNOWN_SYSTEMS: Final[Mapping[str, str]] = {"http://hl7.org/fhir/sid/us-mbi": "MC", "http://hl7.org/fhir/sid/us-medicare": "MC"}
"""Systems that say by themselves what kind of number it is (v2 table 0203)."""

RACE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
ETHNICITY: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity"
DATA_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ALTERNATE_REFERENCE: Final = "http://hl7.org/fhir/StructureDefinition/alternate-reference"
ERASING_REASON: Final = "not-applicable"
"""Our reading: that there is no such value takes back what was known; every other reason is no information (DV-11, ADT-3)."""

PROCESSING: Final = "http://terminology.hl7.org/CodeSystem/v2-0103"
"""v2-to-FHIR puts MSH-11 into MessageHeader.meta.tag."""
TEST_LABEL: Final = "HTEST"
"""HL7 v3 ActReason: test health data, as a security label."""

_NAME_USES: Final = frozenset({"usual", "official", "temp", "nickname", "anonymous", "old", "maiden"})
_IDENTIFIER_USES: Final = frozenset({"usual", "official", "temp", "secondary", "old"})
_STATUSES: Final = frozenset({"active", "cancelled", "draft", "entered-in-error"})
ENCOUNTER_STATUSES: Final = frozenset(
    {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown"}
)
REQUIRED_CODES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "Encounter": {
        "status": ENCOUNTER_STATUSES,
        "identifier.use": _IDENTIFIER_USES,
        "location.status": frozenset({"planned", "active", "reserved", "completed"}),
        "statusHistory.status": ENCOUNTER_STATUSES,
    },
    "Patient": {
        "gender": frozenset(SEX),
        "identifier.use": _IDENTIFIER_USES,
        "name.use": _NAME_USES,
        "address.use": frozenset({"home", "work", "temp", "old", "billing"}),
        "address.type": frozenset({"postal", "physical", "both"}),
        "telecom.system": frozenset({"phone", "fax", "email", "pager", "url", "sms", "other"}),
        "telecom.use": frozenset({"home", "work", "temp", "old", "mobile"}),
        "link.type": frozenset({"replaced-by", "replaces", "refer", "seealso"}),
    },
    "Coverage": {"status": _STATUSES, "identifier.use": _IDENTIFIER_USES},
    "Location": {"status": frozenset({"active", "suspended", "inactive"}), "mode": frozenset({"instance", "kind"})},
    "Practitioner": {"gender": frozenset(SEX), "identifier.use": _IDENTIFIER_USES, "name.use": _NAME_USES},
    "Organization": {"identifier.use": _IDENTIFIER_USES},
    "DocumentReference": {
        "status": frozenset({"current", "superseded", "entered-in-error"}),
        "docStatus": frozenset({"preliminary", "final", "amended", "entered-in-error"}),
        "relatesTo.code": frozenset({"replaces", "transforms", "signs", "appends"}),
        "identifier.use": _IDENTIFIER_USES,
    },
}
"""FHIR R4 required bindings of the elements that are read, by path."""

TARGETS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "MessageHeader": {
        "sender": frozenset({"Practitioner", "PractitionerRole", "Organization", "Device"}),
        "author": frozenset({"Practitioner", "PractitionerRole", "Device"}),
        "responsible": frozenset({"Practitioner", "PractitionerRole", "Organization"}),
    },
    "Encounter": {
        "subject": frozenset({"Patient"}),
        "location.location": frozenset({"Location"}),
        "participant.individual": frozenset({"Practitioner", "PractitionerRole", "RelatedPerson"}),
        "serviceProvider": frozenset({"Organization"}),
        "diagnosis.condition": frozenset({"Condition", "Procedure"}),
        "hospitalization.origin": frozenset({"Location", "Organization"}),
        "hospitalization.destination": frozenset({"Location", "Organization"}),
        "partOf": frozenset({"Encounter"}),
    },
    "Condition": {"subject": frozenset({"Patient"}), "encounter": frozenset({"Encounter"})},
    "Coverage": {
        "beneficiary": frozenset({"Patient"}),
        "subscriber": frozenset({"Patient", "RelatedPerson"}),
        "payor": frozenset({"Organization", "Patient", "RelatedPerson"}),
    },
    "Location": {"partOf": frozenset({"Location"}), "managingOrganization": frozenset({"Organization"})},
    "Patient": {"managingOrganization": frozenset({"Organization"}), "link.other": frozenset({"Patient", "RelatedPerson"})},
    "DocumentReference": {
        "subject": frozenset({"Patient"}),
        "context.encounter": frozenset({"Encounter", "EpisodeOfCare"}),
        "relatesTo.target": frozenset({"DocumentReference"}),
    },
    "PractitionerRole": {"practitioner": frozenset({"Practitioner"}), "organization": frozenset({"Organization"})},
}
"""What the references that are read may point at (FHIR R4, narrowed by Da Vinci's and US Core's profiles where they say so)."""

INTERPRETER_EXTENSIONS: Final = frozenset(
    {
        "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed",
        "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
    }
)
YES_CODES: Final = frozenset({"373066001", "LA33-6", "Y"})
NO_CODES: Final = frozenset({"373067005", "LA32-8", "N"})
"""SNOMED CT, LOINC and HL7 table 0136."""
