"""Whether the hospital says that a patient's data must not go further: the twin of PD1-12 (adapters/hl7v2/protection).

By the security labels of the Patient or the Encounter (HL7 v2-to-FHIR leaves PD1-12 to the receiver; DS4P names the codes). R alone,
which many systems write on every behavioral-health stay, protects nothing. Not here: what follows (domain/privacy).
"""

from typing import Final

from adapters.fhir.bundle import Entry
from adapters.fhir.values import erased, member, objects, text
from app.domain.known import ERASED, Known

_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PROTECTING: Final = frozenset(
    {
        (_CONFIDENTIALITY, "V"),
        (_ACT_CODE, "NODSCLCD"),
        (_ACT_CODE, "NODSCLCDS"),
        (_ACT_CODE, "NOAUTH"),
        (_ACT_CODE, "OPTOUT"),
    }
)
"""Very restricted; no disclosure without the subject's consent or authorization; opted out."""
_OPEN: Final = frozenset(
    {(_CONFIDENTIALITY, "N"), (_CONFIDENTIALITY, "M"), (_CONFIDENTIALITY, "L"), (_CONFIDENTIALITY, "U"), (_ACT_CODE, "OPTIN")}
)
"""Normal or less; opted in."""


def protected(encounter: Entry, patient: Entry) -> Known[bool]:
    """Read the labels of both; one that protects is enough. A list that is said to be empty takes it back."""
    metas = [one.resource.get("meta") for one in (patient, encounter)]
    labels = {(text(one.get("system")), text(one.get("code"))) for meta in metas for one in objects(member(meta, "security"))}
    if labels & _PROTECTING:
        return True
    if any(erased(meta, "security") for meta in metas):
        return ERASED
    return False if labels & _OPEN else None
