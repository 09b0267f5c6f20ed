"""The patient of a Consent who is not known here yet: a contained Patient with numbers, name and birth date. Read without trust.

An identifier alone would be a guess, for numbers are mistyped: the person index compares name and birth date too. Not here: who it is
(app/actions/identify).
"""

from adapters.fhir.codes import KNOWN_SYSTEMS, SEX
from adapters.fhir.times import read_date
from adapters.fhir.values import Json, code, member, objects, text, texts
from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, PersonFacts
from app.domain.stored_consent import NamedPatient

_OID = "urn:oid:"
_TYPE_LENGTH_MAX = 5
_SYSTEM_LENGTH_MAX = 227


def contained_patient(document: Json) -> Json | None:
    """Give the contained resource that Consent.patient refers to, where it is the only one."""
    held = objects(document.get("contained"))
    reference = text(member(document.get("patient"), "reference"))
    if len(held) != 1 or held[0].get("resourceType") != "Patient" or reference != f"#{text(held[0].get('id'))}":
        return None
    return held[0]


def named_patient(patient: Json) -> NamedPatient | None:
    """Read who it is; None where a number with its system, the family name or a whole birth date is missing."""
    identifiers = [one for said in objects(patient.get("identifier")) if (one := _identifier(said)) is not None]
    name = next(iter(objects(patient.get("name"))), {})
    family, given, born = text(name.get("family")), texts(name.get("given")), read_date(text(patient.get("birthDate")))
    if not identifiers or not family or born is None:
        return None
    facts = PersonFacts(
        first_name=given[0] if given else None,
        middle_name=" ".join(given[1:]) or None,
        last_name=family,
        birth_date=born,
        sex=SEX.get(text(patient.get("gender"))),
    )
    return NamedPatient(tuple(dict.fromkeys(identifiers)), facts)


def _identifier(said: Json) -> Identifier | None:
    system, value = text(said.get("system")), text(said.get("value"))
    kind = code(said.get("type")).upper()[:_TYPE_LENGTH_MAX] or KNOWN_SYSTEMS.get(system, "")
    if not value or not system or text(said.get("use")) == "old" or kind in NOT_A_PERSON_TYPES:
        return None
    return Identifier(system.removeprefix(_OID).upper()[:_SYSTEM_LENGTH_MAX], kind, value)
