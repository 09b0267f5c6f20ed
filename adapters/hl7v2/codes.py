"""The few HL7 tables that decide how a message is read, as data with their source. What a feed does differently is in its profile.

Not here: tables that are only looked up by name (`lint`) and code systems of the domain (app/standards).
"""

from typing import Final

from app.domain.adt_event import EncounterClass

VERSIONS: Final = frozenset(
    {"2.1", "2.2", "2.3", "2.3.1", "2.3.2", "2.4", "2.5", "2.5.1", "2.5.2", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"}
)
"""HL7 2.9 table 0104. Another 2.x is refused: nobody knows yet what it means."""

CLASSES: Final = {
    "E": EncounterClass.EMERGENCY,
    "I": EncounterClass.INPATIENT,
    "O": EncounterClass.OUTPATIENT,
    "P": EncounterClass.PREADMIT,
    "R": EncounterClass.RECURRING,
    "B": EncounterClass.OBSTETRICS,
    "C": EncounterClass.UNKNOWN,
    "N": EncounterClass.UNKNOWN,
    "U": EncounterClass.UNKNOWN,
    # HL7 v3 ActCode, which 2.8 and later senders also write in PV1-2.
    "EMER": EncounterClass.EMERGENCY,
    "IMP": EncounterClass.INPATIENT,
    "ACUTE": EncounterClass.INPATIENT,
    "NONAC": EncounterClass.INPATIENT,
    "OBSENC": EncounterClass.OBSERVATION,
    "AMB": EncounterClass.OUTPATIENT,
    "PRENC": EncounterClass.PREADMIT,
    # Not in table 0004, but nobody means anything else by it.
    "OBS": EncounterClass.OBSERVATION,
}
"""HL7 2.5.1 table 0004 (C commercial account, N not applicable, U unknown). Other codes come by the feed's class map."""

TRIGGER_SHAPE: Final = r"[A-Z][A-Z0-9]{2}"
"""Table 0003 and local Z events; anything else in MSH-9.2 is damage."""

PERSON_LEVEL_SUBSTITUTE: Final = 2
"""PID-2 carried the patient id of senders before 2.3 that leave PID-3 empty."""

NPI_AUTHORITIES: Final = frozenset({"NPI", "NPPES", "2.16.840.1.113883.4.6"})
"""How XCN-9 names the US National Provider Identifier."""

ICD_10_SYSTEMS: Final = frozenset({"I10", "I10C", "ICD10", "ICD10CM", "ICD10C", "2.16.840.1.113883.6.90"})
"""HL7 table 0396 and spellings without blanks, `-` and `_`; preferred where a DG1-3 carries two codings."""

LEGAL_NAME: Final = "L"
"""HL7 table 0200."""
FORMER_NAMES: Final = ("M", "B", "A")
"""HL7 table 0200: maiden name, name at birth, alias; the first that is there is taken."""
HOME_ADDRESSES: Final = ("H", "L", "P", "C", "")
"""HL7 table 0190: home, legal, permanent, current or mailing; the first that is there is taken."""
BAD_ADDRESS: Final = "BA"
NOT_VOICE: Final = frozenset({"INTERNET", "X.400", "FX", "BP", "MD", "NET"})
"""HL7 tables 0201 and 0202: what in PID-13 is no telephone that a person answers."""
