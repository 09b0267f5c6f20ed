"""Encounter, Location and Condition as facts about a stay (DV-5, DV-6, ADT-1, ADT-2). Pure; doubts become warnings.

Not here: what they make of the stay (domain/encounter), when the event happened (`reader`), who the person is (`people`).
"""

from collections.abc import Iterator

from adapters.fhir.bundle import Entry, MessageBundle
from adapters.fhir.codes import CLASSES, DIAGNOSIS_USES, DISPOSITIONS, ICD_10
from adapters.fhir.practitioners import attending, named_practitioners
from adapters.fhir.protection import protected
from adapters.fhir.reading import OLD, Reading, has_type
from adapters.fhir.times import Moment, read_moment
from adapters.fhir.values import Json, absence, code, code_or_words, erased, member, objects, text, words
from app.domain.adt_event import DiagnosisAction, DiagnosisFact, DiagnosisUse, EncounterClass, Identifier, VisitFacts
from app.domain.inbound import ProblemCode
from app.domain.known import ERASED, Known

_CLASS_NAMES = {one.value: one for one in EncounterClass}
_MAY_BE_OBSERVATION = frozenset({EncounterClass.OUTPATIENT, EncounterClass.INPATIENT, EncounterClass.EMERGENCY, EncounterClass.UNKNOWN})
PARTS = {"bd": "bed", "ro": "room", "wa": "unit", "si": "facility", "bu": "facility"}
"""FHIR location-physical-type -> part of PV1-3."""
_BUILDING = "bu"
_LEVELS_MAX = 8
_NOT_SO = frozenset({"refuted", "entered-in-error"})
_UB_04_DIGITS_MAX = 2
_RANK_MAX = 9999


def encounter_class(reading: Reading, encounter: Entry) -> Known[EncounterClass]:
    """Read the class by the feed's map, else v3 ActCode or table 0004; type or serviceType may make it an observation stay (ADT-1)."""
    said = text(member(encounter.resource, "class", "code")).upper()
    if not said:
        return EncounterClass.UNKNOWN if encounter.resource.get("class") else None
    profile = reading.feed.profile
    mapped = profile.class_map.get(said)
    found = _CLASS_NAMES.get(mapped) if mapped is not None else CLASSES.get(said)
    if found is None:
        sentence = "Neither a class of v3 ActCode nor of table 0004; map it in the feed's class map. Read as unknown."
        reading.note_unmapped(f"{encounter.path}.class", sentence)
        found = EncounterClass.UNKNOWN
    if profile.observation_patient_types and found in _MAY_BE_OBSERVATION:
        kinds = {code(one).upper() for one in [*objects(encounter.resource.get("type")), encounter.resource.get("serviceType")]}
        if kinds & profile.observation_patient_types:
            return EncounterClass.OBSERVATION
    return found


def visit_facts(reading: Reading, encounter: Entry, patient: Entry, *, started: Known[Moment], ended: Known[Moment]) -> VisitFacts:
    """Read what the Encounter and the places it names say. The times come sharpened from whoever knows the event."""
    resource = encounter.resource
    hospitalization = resource.get("hospitalization")
    place = _place(reading, encounter)
    kinds = objects(resource.get("type"))
    return VisitFacts(
        visit_number=visit_number(reading, encounter, patient),
        encounter_class=encounter_class(reading, encounter),
        class_code=text(member(resource, "class", "code")) or None,
        unit=place.get("unit"),
        room=place.get("room"),
        bed=place.get("bed"),
        facility=place.get("facility") or reading.name_of(resource.get("serviceProvider"), resource) or None,
        admission_type=code_or_words(kinds[0]) or None if kinds else None,
        hospital_service=_known_code(resource, "serviceType"),
        admit_source=_known_code(hospitalization, "admitSource"),
        attending=attending(reading, encounter),
        admitted_at=started.at if isinstance(started, Moment) else started,
        discharged_at=ended.at if isinstance(ended, Moment) else ended,
        disposition=_disposition(reading, encounter),
        discharged_to=reading.name_of(member(hospitalization, "destination"), resource) or None,
        admit_reason=_admit_reason(resource),
        named=named_practitioners(reading, encounter, patient),
        places=_further_places(reading, encounter, place),
        protected=protected(encounter, patient),
    )


def _known_code(parent: object, name: str) -> Known[str]:
    return ERASED if erased(parent, name) else code_or_words(member(parent, name)) or None


def visit_number(reading: Reading, encounter: Entry, patient: Entry) -> Identifier | None:
    """Encounter.identifier (type VN, else one without another type), else the account number that the Patient carries (PID-18)."""
    said = [one for one in objects(encounter.resource.get("identifier")) if text(one.get("use")) != OLD and text(one.get("value"))]
    of_type = next((one for one in said if has_type(one, "VN")), None)
    chosen = of_type or next((one for one in said if not has_type(one, "AN", "PNT")), None)
    if chosen is not None:
        return reading.identifier(chosen, "VN")
    accounts = [*said, *objects(patient.resource.get("identifier"))]
    account = next((one for one in accounts if has_type(one, "AN") and text(one.get("value"))), None)
    return reading.identifier(account, "AN") if account is not None else None


def _place(reading: Reading, encounter: Entry) -> dict[str, str]:
    """Read unit, room and bed up the chain of the current Location; one without a physical type is the unit, unless it is the house."""
    current = current_place(encounter)
    if current is None:
        return {}
    reference = current.get("location")
    found = reading.bundle.find(reference, encounter.resource)
    if found is None:
        shown = text(member(reference, "display"))
        return {} if not shown or shown == _house(reading, encounter) else {"unit": shown}
    place: dict[str, str] = {}
    said_type = code(current.get("physicalType"))
    for level in chain(reading.bundle, found):
        name = text(level.resource.get("name")) or next(iter(_numbers(level)), "")
        kind = code(level.resource.get("physicalType")) or said_type
        said_type = ""
        part = PARTS.get(kind.lower()) if kind else None if name == _house(reading, encounter) else "unit"
        if part is not None and name:
            place.setdefault(part, name)
    return place


def _further_places(reading: Reading, encounter: Entry, place: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Give what else the registry of origins may know the place by: identifiers of the Locations, buildings, parts of the house.

    A serviceProvider that is part of another Organization is a part of the house; the house itself is found by the feed.
    """
    found: list[tuple[str, str]] = []
    current = current_place(encounter)
    start = reading.bundle.find(member(current, "location"), encounter.resource) if current is not None else None
    for level in chain(reading.bundle, start):
        kind = PARTS.get(code(level.resource.get("physicalType")).lower(), "unit")
        if code(level.resource.get("physicalType")).lower() == _BUILDING:
            found += [("building", name) for name in (text(level.resource.get("name")), *_numbers(level)) if name]
        elif kind == "unit":
            found += [("alias", number) for number in _numbers(level)]
    provider = reading.bundle.find(encounter.resource.get("serviceProvider"), encounter.resource)
    if provider is not None and provider.resource.get("partOf"):
        found += [("alias", name) for name in (text(provider.resource.get("name")), *_numbers(provider)) if name]
    return tuple(one for one in dict.fromkeys(found) if one[1] != place.get("unit"))


def current_place(encounter: Entry) -> Json | None:
    """Give the part of Encounter.location that holds now: the last that is active, else the last."""
    said = objects(encounter.resource.get("location"))
    return next((one for one in reversed(said) if text(one.get("status")) == "active"), said[-1] if said else None)


def chain(bundle: MessageBundle, found: Entry | None) -> Iterator[Entry]:
    """Give a Location and those it is part of; a ring ends by its length."""
    level = found
    for _ in range(_LEVELS_MAX):
        if level is None or level.type != "Location":
            return
        yield level
        level = bundle.find(level.resource.get("partOf"), level.resource)


def _house(reading: Reading, encounter: Entry) -> str:
    return reading.name_of(encounter.resource.get("serviceProvider"), encounter.resource)


def _numbers(entry: Entry) -> list[str]:
    return [value for one in objects(entry.resource.get("identifier")) if (value := text(one.get("value")))]


def _disposition(reading: Reading, encounter: Entry) -> Known[str]:
    """Read the disposition by the feed's map, else FHIR's words, as a UB-04 status of two digits; another code is kept and noted."""
    hospitalization = encounter.resource.get("hospitalization")
    if erased(hospitalization, "dischargeDisposition"):
        return ERASED
    codes = [text(one.get("code")).upper() for one in objects(member(hospitalization, "dischargeDisposition", "coding"))]
    codes = [one for one in codes if one] or [text(member(hospitalization, "dischargeDisposition", "text")).upper()]
    if not codes[0]:
        return None
    profile = reading.feed.profile.disposition_map
    for one in codes:
        mapped = profile.get(one) or DISPOSITIONS.get(one) or one
        if mapped.isascii() and mapped.isdigit() and len(mapped) <= _UB_04_DIGITS_MAX:
            return mapped.zfill(2)
    place = f"{encounter.path}.hospitalization.dischargeDisposition"
    reading.note_unmapped(place, "Not a UB-04 status; map it in the feed's disposition map.")
    return profile.get(codes[0], codes[0])


def _admit_reason(resource: Json) -> Known[str]:
    """Read reasonCode, as people read it."""
    if erased(resource, "reasonCode"):
        return ERASED
    reasons = objects(resource.get("reasonCode"))
    return words(reasons[0]) or None if reasons else None


def diagnoses(reading: Reading, encounter: Entry, *, adds: bool) -> tuple[tuple[DiagnosisFact, ...], frozenset[DiagnosisUse]]:
    """Read the Conditions of the stay, and the uses of which nothing is left because every one was withdrawn.

    A Condition is of the stay when it says so or the Encounter lists it. `adds`: they come on top of what is known.
    """
    listed: dict[int, Json] = {}
    for one in objects(encounter.resource.get("diagnosis")):
        found = reading.bundle.find(one.get("condition"), encounter.resource)
        if found is not None and found.type == "Condition":
            listed.setdefault(found.index, one)
    facts: list[DiagnosisFact] = []
    withdrawn: set[DiagnosisUse] = set()
    for condition in reading.bundle.of_type("Condition"):
        role = listed.get(condition.index)
        if role is None and reading.bundle.find(condition.resource.get("encounter"), condition.resource) != encounter:
            reading.note(
                ProblemCode.UNKNOWN_KEY, f"{condition.path}.encounter", "The Condition is not of this stay; it was left out (DV-6)."
            )
            continue
        use = DIAGNOSIS_USES.get(code(member(role, "use")).upper(), DiagnosisUse.WORKING)
        if code(condition.resource.get("verificationStatus")) in _NOT_SO:
            withdrawn.add(use)
            if adds and (gone := _fact(condition, role, use, DiagnosisAction.DELETE)) is not None:
                facts.append(gone)
            continue
        fact = _fact(condition, role, use, DiagnosisAction.ADD if adds else DiagnosisAction.SNAPSHOT)
        if fact is not None:
            facts.append(fact)
    said = {fact.use for fact in facts}
    return tuple(facts), frozenset() if adds else frozenset(withdrawn - said)


def _fact(condition: Entry, role: Json | None, use: DiagnosisUse, action: DiagnosisAction) -> DiagnosisFact | None:
    """Read one diagnosis: the ICD-10 coding where there are several, else the first."""
    concept = condition.resource.get("code")
    codings = [one for one in objects(member(concept, "coding")) if text(one.get("code"))]
    chosen = next((one for one in codings if text(one.get("system")) in ICD_10), codings[0] if codings else {})
    shown = text(member(concept, "text")) or text(chosen.get("display"))
    if not chosen and not shown:
        return None
    rank = member(role, "rank")
    ranked = rank if isinstance(rank, int) and not isinstance(rank, bool) and 0 <= rank <= _RANK_MAX else None
    return DiagnosisFact(text(chosen.get("code")), text(chosen.get("system")), shown, use, ranked, action)


def period(reading: Reading, encounter: Entry, name: str) -> Known[Moment]:
    """Read the start or the end of the stay."""
    held = encounter.resource.get("period")
    if absence(member(held, f"_{name}")) is ERASED:
        return ERASED
    said = member(held, name)
    if said is None:
        return None
    moment = read_moment(said, reading.zone)
    if moment is None:
        reading.note(ProblemCode.DATA_TYPE, f"{encounter.path}.period.{name}", "A year or a month alone has no place in a stay; left out.")
    return moment


def class_began(reading: Reading, encounter: Entry) -> Moment | None:
    """Give when the present class began, as Encounter.classHistory says it: an admission from the emergency room keeps its period."""
    now = text(member(encounter.resource, "class", "code"))
    starts = [
        moment
        for one in objects(encounter.resource.get("classHistory"))
        if text(member(one, "class", "code")) == now and (moment := read_moment(member(one, "period", "start"), reading.zone)) is not None
    ]
    return max(starts, key=lambda moment: moment.at, default=None)


def place_began(reading: Reading, encounter: Entry) -> Moment | None:
    """Give since when the patient is at the present place."""
    said = [one for one in objects(encounter.resource.get("location")) if text(one.get("status")) in ("active", "")]
    return read_moment(member(said[-1], "period", "start"), reading.zone) if said else None
