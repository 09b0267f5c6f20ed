"""Trigger events of ADT and documents (HL7 table 0003), and which of them do alike. Not here: what a message tells (adt_event)."""

from enum import StrEnum


class Trigger(StrEnum):
    """The trigger events this service acts on (HL7 2.5.1 table 0003; standards C.6 says what each does)."""

    ADMIT = "A01"
    TRANSFER = "A02"
    DISCHARGE = "A03"
    REGISTER = "A04"
    PRE_ADMIT = "A05"
    TO_INPATIENT = "A06"
    TO_OUTPATIENT = "A07"
    UPDATE = "A08"
    DEPARTING = "A09"
    ARRIVING = "A10"
    CANCEL_ADMIT = "A11"
    CANCEL_TRANSFER = "A12"
    CANCEL_DISCHARGE = "A13"
    PENDING_ADMIT = "A14"
    PENDING_TRANSFER = "A15"
    PENDING_DISCHARGE = "A16"
    SWAP = "A17"
    """Two patients in one message: each is where the other was."""
    MERGE_INFORMATION = "A18"
    LEAVE = "A21"
    """Out on a leave of absence, which is no discharge."""
    RETURN = "A22"
    DELETE_RECORD = "A23"
    LINK = "A24"
    CANCEL_PENDING_DISCHARGE = "A25"
    CANCEL_PENDING_TRANSFER = "A26"
    CANCEL_PENDING_ADMIT = "A27"
    ADD_PERSON = "A28"
    DELETE_PERSON = "A29"
    MERGE_PERSON_INFORMATION = "A30"
    UPDATE_PERSON = "A31"
    CANCEL_ARRIVING = "A32"
    CANCEL_DEPARTING = "A33"
    MERGE_PATIENT = "A34"
    MERGE_ACCOUNT_ONLY = "A35"
    MERGE_PATIENT_AND_ACCOUNT = "A36"
    UNLINK = "A37"
    CANCEL_PRE_ADMIT = "A38"
    MERGE_EXTERNAL_ID = "A39"
    MERGE_IDENTIFIER_LIST = "A40"
    MERGE_ACCOUNT = "A41"
    MERGE_VISIT = "A42"
    MOVE_PATIENT = "A43"
    MOVE_ACCOUNT = "A44"
    MOVE_VISIT = "A45"
    CHANGE_EXTERNAL_ID = "A46"
    CHANGE_IDENTIFIER_LIST = "A47"
    CHANGE_ACCOUNT = "A49"
    CHANGE_VISIT = "A50"
    CHANGE_ALTERNATE_VISIT = "A51"
    CANCEL_LEAVE = "A52"
    CANCEL_RETURN = "A53"
    CHANGE_ATTENDING = "A54"
    CANCEL_ATTENDING = "A55"
    CHANGE_CONSULTING = "A61"
    CANCEL_CONSULTING = "A62"
    DOCUMENT = "T01"
    """MDM, T01 to T11: what happens to a document; those of even number carry its content."""
    DOCUMENT_CONTENT = "T02"
    DOCUMENT_STATUS = "T03"
    DOCUMENT_STATUS_CONTENT = "T04"
    DOCUMENT_ADDENDUM = "T05"
    DOCUMENT_ADDENDUM_CONTENT = "T06"
    DOCUMENT_EDIT = "T07"
    DOCUMENT_EDIT_CONTENT = "T08"
    DOCUMENT_REPLACEMENT = "T09"
    DOCUMENT_REPLACEMENT_CONTENT = "T10"
    DOCUMENT_CANCEL = "T11"
    RESULT = "R01"
    """ORU: results, each of which is a document too."""
    REPORTED = "reported"
    """A stay that a home or plan learned of itself; not an HL7 event."""
    PRESUMED_ENDED = "presumed_ended"
    """Nothing was heard of an open stay for so long that it is presumed to have ended; not an HL7 event."""


OURS = frozenset({Trigger.REPORTED, Trigger.PRESUMED_ENDED})
"""No events of HL7: no message brings them."""
RETIRING = frozenset(
    {
        Trigger.MERGE_INFORMATION,
        Trigger.MERGE_PERSON_INFORMATION,
        Trigger.MERGE_PATIENT,
        Trigger.MERGE_PATIENT_AND_ACCOUNT,
        Trigger.MERGE_EXTERNAL_ID,
        Trigger.MERGE_IDENTIFIER_LIST,
        Trigger.CHANGE_EXTERNAL_ID,
        Trigger.CHANGE_IDENTIFIER_LIST,
    }
)
"""MRG-1 (MRG-4 of old) names the record that is retired into that of PID-3: a merge, or the same record under a new number."""
RENAMING = frozenset(
    {
        Trigger.MERGE_INFORMATION,
        Trigger.MERGE_ACCOUNT_ONLY,
        Trigger.MERGE_PATIENT_AND_ACCOUNT,
        Trigger.MERGE_ACCOUNT,
        Trigger.MERGE_VISIT,
        Trigger.CHANGE_ACCOUNT,
        Trigger.CHANGE_VISIT,
        Trigger.CHANGE_ALTERNATE_VISIT,
    }
)
"""They retire the number of an account or a visit into another: a merge, or the same stay under a new number."""
CHANGING = frozenset(
    {
        Trigger.CHANGE_EXTERNAL_ID,
        Trigger.CHANGE_IDENTIFIER_LIST,
        Trigger.CHANGE_ACCOUNT,
        Trigger.CHANGE_VISIT,
        Trigger.CHANGE_ALTERNATE_VISIT,
        Trigger.MOVE_ACCOUNT,
        Trigger.MOVE_VISIT,
    }
)
"""The number that they retire is that of the same record, account or visit: no merge, and it takes none back."""
LINKING = frozenset({Trigger.LINK, Trigger.UNLINK})
DELETING = frozenset({Trigger.DELETE_RECORD, Trigger.DELETE_PERSON})
"""Nothing is ever deleted: a person has to look (C.6). Senders also purge old visits with an A23, which must retract nothing."""
PERSON_TRIGGERS = frozenset(
    {
        Trigger.ADD_PERSON,
        Trigger.UPDATE_PERSON,
        Trigger.MOVE_PATIENT,
        Trigger.MOVE_ACCOUNT,
        *RETIRING,
        *RENAMING,
        *LINKING,
    }
)
"""They speak of a person, or of the name of a stay, and state nothing about the stay itself."""
DOCUMENT_TRIGGERS = frozenset(
    {
        Trigger.DOCUMENT,
        Trigger.DOCUMENT_CONTENT,
        Trigger.DOCUMENT_STATUS,
        Trigger.DOCUMENT_STATUS_CONTENT,
        Trigger.DOCUMENT_ADDENDUM,
        Trigger.DOCUMENT_ADDENDUM_CONTENT,
        Trigger.DOCUMENT_EDIT,
        Trigger.DOCUMENT_EDIT_CONTENT,
        Trigger.DOCUMENT_REPLACEMENT,
        Trigger.DOCUMENT_REPLACEMENT_CONTENT,
        Trigger.DOCUMENT_CANCEL,
        Trigger.RESULT,
    }
)
"""They tell of documents (MDM, ORU). They name the patient and the stay, and state nothing about the stay."""
TRACKING = frozenset({Trigger.DEPARTING, Trigger.ARRIVING, Trigger.CANCEL_DEPARTING, Trigger.CANCEL_ARRIVING})
"""Where the patient is on the way to an examination and back: a position, and no transfer."""

CANCELS = frozenset(
    {
        Trigger.CANCEL_ADMIT,
        Trigger.CANCEL_TRANSFER,
        Trigger.CANCEL_DISCHARGE,
        Trigger.CANCEL_PENDING_ADMIT,
        Trigger.CANCEL_PENDING_TRANSFER,
        Trigger.CANCEL_PENDING_DISCHARGE,
        Trigger.CANCEL_PRE_ADMIT,
        Trigger.CANCEL_LEAVE,
        Trigger.CANCEL_RETURN,
        Trigger.CANCEL_DEPARTING,
        Trigger.CANCEL_ARRIVING,
        Trigger.CANCEL_ATTENDING,
        Trigger.CANCEL_CONSULTING,
        Trigger.UNLINK,
        Trigger.DOCUMENT_CANCEL,
    }
)
