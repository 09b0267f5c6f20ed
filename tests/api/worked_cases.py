"""The worked cases of the domain reference (section 6) as data: what is sent, said and recorded, and what must come out.

All are about people of their own on the panels of one home and one plan, so that they can be worked on together. Local times are the
hospital's, in Maine. Not here: how they are driven (test_worked_cases.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

WORKED_ON = datetime(2029, 6, 1, 15, tzinfo=UTC)
"""When every case but those that say otherwise is looked at: all windows are over."""
PSYCHOLOGIST = "103TC0700X"


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay: an admission or arrival and, when it has ended, a discharge. `more` are keywords of `adt`."""

    visit: str
    admitted: str
    discharged: str | None = None
    patient_class: str = "I"
    disposition: str = "01"
    codes: Sequence[str] = ("F32.2",)
    facility: str = "HOSPA"
    mrn: str = ""
    """Of another record than the case's own."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message beside the admission and the discharge."""

    trigger: str
    at: str
    visit: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    died: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Something that the home recorded; by default psychotherapy for depression by a psychologist in an office, at noon."""

    on: str
    said: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Give it as it is posted."""
        visit = {"type": "in_person_office", "outcome": "attended", "with": "patient", "role": "clinician", "visit_codes": ["90834"],
                 "diagnoses": ["F32.2"], "taxonomies": [PSYCHOLOGIST], "place_of_service": "11"}  # fmt: skip
        return {"occurred_at": f"{self.on}T12:00:00-05:00", **(self.said or visit)}


@dataclass(frozen=True, slots=True)
class Case:
    """One worked case. `expected` is visit -> measure -> fields; None: the stay is no event of the measure and not counted."""

    id: str
    stays: Sequence[Stay | Message]
    expected: Mapping[str, Mapping[str, Mapping[str, Any] | None]]
    contacts: Sequence[Contact] = ()
    now: datetime = WORKED_ON
    born: str = "19800102"
    program: str = "BHH"
    covered_to: str = ""
    clocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Clock -> fields, of the follow-up of the first stay."""
    consent: Mapping[str, Any] | None = None
    """What is recorded of the person, of the records of the first stay's facility."""
    claims: Sequence[Mapping[str, str]] = ()
    """What the plan loads of them: lines of claims, without the member."""
    also_at: str = ""
    """Who else has the person on a panel."""


def met(seven: str, thirty: str, **more: Any) -> dict[str, Any]:
    """Say both windows."""
    return {"status_7": seven, "status_30": thirty, **more}


def out(status: str, reason: str, **more: Any) -> dict[str, Any]:
    """Say a status and its reason."""
    return {"status": status, "reason": reason, **more}


def coded(code: str, *diagnoses: str, **more: Any) -> dict[str, Any]:
    """Say a visit by its code, by nobody in particular."""
    return {"type": "in_person_office", "outcome": "attended", "with": "patient", "visit_codes": [code], "diagnoses": list(diagnoses),
            "place_of_service": "11", **more}  # fmt: skip


CALL = {"type": "phone", "outcome": "reached", "with": "patient", "role": "coordinator", "live_two_way": True}
NO_ANSWER = {"type": "phone", "outcome": "no_answer", "with": "patient", "role": "coordinator"}
MET, NOT = "met", "not_met"
A = Stay("A", "2025-03-01 10:00", "2025-03-10 14:00")
IN_2024 = Stay("A", "2024-03-01 10:00", "2024-03-10 14:00")
TPO = {
    "kind": "tpo", "signed_on": "2025-03-01", "categories": ["all"], "purposes": ["treatment", "payment", "operations", "viewing"],
    "scope": "All my records of treatment at the program.", "recipient_classes": ["treating_providers", "health_plans"],
    "signature": "electronic", "expires_upon": "none", "statements": ["right_to_revoke", "redisclosure", "consequences_of_refusing"],
}  # fmt: skip
"""42 CFR 2.31, one for treatment, payment and operations."""
OPT_IN = {**TPO, "signed_on": "2029-03-01", "categories": ["mental_health"], "purposes": ["treatment"]}
"""Maine lets one hold for a year."""
EMERGENCY = {
    "kind": "emergency", "signed_on": "2029-06-01", "recipients": ["ED9"], "minutes": 60, "discloser_id": None,
    "reason": "unconscious in the emergency department",
}  # fmt: skip
"""42 CFR 2.51, recorded by whoever needs it."""
FUTURE = datetime(2026, 11, 22, 17, tzinfo=UTC)


def _ed(visit: str, day: str, *codes: str, **more: Any) -> Stay:
    return Stay(visit, f"{day} 10:00", f"{day} 14:00", "E", codes=codes or ("F32.2",), **more)


def _fuh(case: str, contacts: Sequence[Contact], seven: str, thirty: str, stay: Stay = A, **more: Any) -> Case:
    return Case(case, [stay], {"A": {"FUH": met(seven, thirty)}}, contacts, **more)


def _one(case: str, stay: Stay, expected: Mapping[str, Any] | None, measure: str = "FUH", **more: Any) -> Case:
    return Case(case, [stay], {stay.visit: {measure: expected}}, **more)


CASES = [
    _fuh("F1", [Contact("2025-03-17")], MET, MET),
    _fuh("F2", [Contact("2025-03-18")], NOT, MET),
    _fuh("F3", [Contact("2025-03-10")], NOT, NOT),
    _fuh("F4", [Contact("2025-04-09")], NOT, MET),
    _fuh("F5", [Contact("2025-04-10")], NOT, NOT),
    Case(
        "F6",
        [A, Stay("B", "2025-03-15 10:00", "2025-03-20 14:00", codes=("F31.9",))],
        {"A": {"FUH": out("superseded", "readmitted")}, "B": {"FUH": met(NOT, NOT, anchor_on="2025-03-20")}},
        [Contact("2025-03-12")],
    ),
    Case(
        "F7",
        [A, Stay("B", "2025-03-15 10:00", "2025-03-20 14:00"), Stay("C", "2025-04-18 10:00", "2025-04-25 14:00")],
        {"A": {"FUH": out("superseded", "readmitted")}, "B": {"FUH": out("superseded", "readmitted")}, "C": {"FUH": met(MET, MET)}},
        [Contact("2025-04-28")],
    ),
    Case("F8", [A, Stay("B", "2025-04-10 10:00", "2025-04-15 14:00")], {"A": {"FUH": met(NOT, NOT)}, "B": {"FUH": met(NOT, NOT)}}),
    Case(
        "F9",
        [Stay("A", "2025-05-01 10:00", "2025-05-04 12:00", disposition="65"), Stay("B", "2025-05-04 13:00", "2025-05-18 14:00")],
        {"A": {"FUH": out("superseded", "readmitted")}, "B": {"FUH": met(MET, MET)}},
        [Contact("2025-05-23")],
    ),
    Case(
        "F11", [A, Stay("N", "2025-03-10 16:00", "2025-04-20 10:00", facility="SNF")], {"A": {"FUH": out("excluded", "nonacute_admission")}}
    ),
    _one("F14", Stay("A", "2025-03-01 10:00", "2025-03-10 14:00", disposition="20"), out("excluded", "died_in_stay")),
    Case("F15", [A, Message("A31", "2025-11-02 12:00", died="20251102")], {"A": {"FUH": out("excluded", "death_in_period")}}),
    _one("F16", Stay("A", "2025-03-01 10:00", "2025-03-10 14:00", disposition="51"), out("excluded", "hospice")),
    _one("F17", Stay("A", "2025-11-10 10:00", "2025-11-19 14:00"), out("not_eligible", "too_young"), born="20191120"),
    _one("F18", Stay("A", "2025-11-10 10:00", "2025-11-20 14:00"), met(NOT, NOT), born="20191120"),
    Case(
        "F20",
        [Stay("A", "2028-02-20 10:00", "2028-02-29 14:00")],
        {"A": {"FUH": met(MET, MET, due_7_on="2028-03-07", due_30_on="2028-03-30")}},
        [Contact("2028-03-07")],
    ),
    _one("F22", Stay("A", "2025-11-20 10:00", "2025-12-01 14:00"), met(NOT, NOT)),
    _one("F23", Stay("A", "2025-11-20 10:00", "2025-12-02 14:00"), out("not_eligible", "out_of_period")),
    _one("F25", A, out("not_eligible", "enrolment_gap"), covered_to="2025-04-01"),
    _fuh("F28", [Contact("2025-03-11", CALL)], NOT, NOT, clocks={"mainecare_bhh.contact_2bd": {"state": "met"}}),
    _fuh("F29", [Contact("2025-03-12", coded("H0038", "F32.2", role="peer"))], MET, MET),
    _fuh("F30", [Contact("2025-03-12", coded("99213", "F32.2"))], MET, MET),
    _fuh("F31", [Contact("2024-03-12", coded("99213", "F32.2"))], NOT, NOT, stay=IN_2024),
    _one("F33", Stay("A", "2025-03-01 10:00", "2025-03-10 14:00", disposition="07"), met(NOT, NOT)),
    Case(
        "F34",
        [
            Stay("A", "2025-11-01 10:00", "2025-11-10 10:00"),
            Message("A13", "2025-11-10 15:00", "A"),
            Message("A03", "2025-11-12 14:00", "A", {"discharged": "20251112140000-0500", "disposition": "01"}),
        ],
        {"A": {"FUH": met(NOT, NOT, anchor_on="2025-11-12")}},
        [Contact("2025-11-11")],
    ),
    Case(
        "E2",
        [
            Stay("E", "2025-04-01 22:10", None, "E"),
            Message("A06", "2025-04-02 03:00", "E", {"patient_class": "I"}),
            Message("A03", "2025-04-08 14:00", "E", {"discharged": "20250408140000-0400", "disposition": "01", "patient_class": "I"}),
        ],
        {"E": {"FUH": met(MET, MET), "FUM": None}},
        [Contact("2025-04-10")],
    ),
    Case(
        "E2-two-visits",
        [
            Stay("E", "2025-04-01 22:10", "2025-04-02 03:00", "E", disposition="09"),
            Stay("I", "2025-04-02 03:00", "2025-04-08 14:00"),
        ],
        {"E": {"FUM": out("excluded", "admitted")}, "I": {"FUH": met(MET, MET)}},
        [Contact("2025-04-10")],
    ),
    Case("E3", [_ed("E", "2025-04-01")], {"E": {"FUM": met(MET, MET, met_7_on="2025-04-01")}}, [Contact("2025-04-01")]),
    Case(
        "E4",
        [_ed(f"E{day}", f"2025-{day}") for day in ("03-01", "03-20", "04-01", "05-01", "05-02")],
        {
            f"E{day}": {"FUM": met(NOT, NOT) if kept else out("excluded", "repeated_visit")}
            for day, kept in (("03-01", True), ("03-20", False), ("04-01", True), ("05-01", False), ("05-02", True))
        },
    ),
    Case("E6", [_ed("E", "2025-04-01", "F33.2", "T40.1X1A")], {"E": {"FUM": met(NOT, NOT), "FUA": met(NOT, NOT)}}),
    _one("E9", _ed("E", "2025-04-01", "F11.21"), out("not_eligible", "no_index_diagnosis"), "FUA"),
    Case(
        "E10-by-visit", [_ed("E", "2025-04-01", "F11.20")], {"E": {"FUA": met(MET, MET)}}, [Contact("2025-04-04", coded("J0571", "F11.20"))]
    ),
    Case(
        "E10",
        [_ed("E", "2025-04-01", "F11.20")],
        {"E": {"FUA": met(MET, MET, met_7_on="2025-04-04")}},
        claims=[
            {
                "claim_id": "RX-E10",
                "adjustment": "0",
                "claim_line": "1",
                "service_date": "2025-04-04",
                "ndc": "12496-1202-03",
                "days_supply": "7",
            }
        ],
    ),
    _one("T1", Stay("A", "2026-11-10 10:00", "2026-11-20 23:45"), {"anchor_on": "2026-11-20", "due_7_on": "2026-11-27"}),
    _one("T2", Stay("A", "2026-11-10 10:00", "2026-11-21 00:30"), {"anchor_on": "2026-11-21"}),
    *(
        Case(
            case,
            [Stay("A", "2026-11-10 10:00", f"{day} 14:00")],
            {"A": {}},
            clocks={"mainecare_bhh.contact_2bd": {"due_at": f"{due}T23:59:59"}},
        )
        for case, day, due in (("B2", "2026-11-21", "2026-11-24"), ("B4", "2026-12-11", "2026-12-15"))
    ),
    Case(
        "B1",
        [Stay("A", "2026-11-10 10:00", "2026-11-25 14:00")],
        {"A": {}},
        program="TCM",
        clocks={"tcm.contact_2bd": {"due_at": "2026-11-30T23:59:59"}},
    ),
    Case(
        "P1",
        [Stay("A", "2026-11-10 10:00", "2026-11-18 14:00")],
        {"A": {"FUH": {"status": "pending", "due_7_on": "2026-11-25", "due_30_on": "2026-12-18", "final": False}}},
        now=FUTURE,
    ),
    Case(
        "TCM-two-attempts",
        [A],
        {"A": {}},
        [Contact("2025-03-11", NO_ANSWER), Contact("2025-03-12", NO_ANSWER)],
        program="TCM",
        clocks={"tcm.contact_2bd": {"state": "met"}},
    ),
    Case(
        "FUI-detox-residential",
        [
            Stay("D", "2025-05-28 10:00", "2025-06-01 10:00", codes=("F10.20",), facility="DETOX"),
            Stay("R", "2025-06-02 10:00", "2025-06-20 10:00", codes=("F10.20",), facility="RESIDENCE"),
        ],
        {"D": {"FUI": out("superseded", "readmitted")}, "R": {"FUI": met(MET, MET, anchor_on="2025-06-20")}},
        [Contact("2025-06-27", coded("90834", "F10.20"))],
    ),
    Case(
        "TRC-on-the-day",
        [A],
        {"A": {"TRC-MRP": {"status": MET, "met_7_on": "2025-03-10"}, "TRC-PED": {"status": NOT}}},
        [Contact("2025-03-10", coded("99214", "I10", role="pharmacist", content=["med_rec"]))],
    ),
    *(
        Case(
            case,
            [Stay("D", "2025-04-01 10:00", "2025-04-04 14:00", codes=("F10.20",), facility=facility)],
            {"D": {"FUI": expected}} if expected else {},
            consent=consent,
            also_at=also_at,
        )
        for case, facility, expected, consent, also_at in (
            ("R2", "PROGRAM", None, None, ""),
            # The plan of R12 sees what the home of R3 does: one consent reaches both.
            ("R3", "PROGRAM", met(NOT, NOT), TPO, ""),
            ("R8", "PROGRAM", None, EMERGENCY, "ED9"),
        )
    ),
    *(
        Case(case, [Stay("A", "2025-03-01 10:00", "2025-03-10 14:00", facility="LICENSED")], {}, consent=consent)
        for case, consent in (("R9", None), ("R10", OPT_IN))
    ),
    *(
        Case(f"BHCP-{age}", [A], {}, born=born, program="BHCP", clocks=clocks)
        for age, born, clocks in (
            (64, "19600311", {"masshealth_bhcp.face_to_face_3bd": {"due_at": "2025-03-13T23:59:59"}}),
            # 65 on the day of the discharge: the program has nothing to start.
            (65, "19600310", {}),
        )
    ),
    Case("R1", [_ed("E", "2025-04-01", "F10.20")], {}),
    Case(
        "merge-of-two-visits",
        [_ed("E1", "2025-04-01"), _ed("E2", "2025-04-11", mrn="other"), Message("A40", "2025-05-01 10:00", more={"merged": "other"})],
        {"E1": {"FUM": met(NOT, NOT)}, "E2": {"FUM": out("excluded", "repeated_visit")}},
    ),
]
"""In the order of the reference."""

_BY_THEIR_NAME = [
    "F1", "F2", "F3", "F4", "F5", "F6", "F8", "F9", "F11", "F14", "F15", "F16", "F17", "F18", "F20", "F22", "F23", "F25", "F28", "F29",
    "F30", "F31", "F33", "F34", "E2", "E3", "E4", "E6", "E9", "E10", "T1", "T2", "B1", "B2", "B4", "P1", "R1", "R2", "R3", "R12", "R8",
    "R9", "R10",
]  # fmt: skip
REFERENCE: Sequence[tuple[str, str]] = (
    *((name, name) for name in _BY_THEIR_NAME),
    ("TCM with 2 failed attempts in 2 business days", "TCM-two-attempts"),
    ("FUI: detoxification, then residential", "FUI-detox-residential"),
    ("TRC-4 on the day of the discharge, TRC-3 not", "TRC-on-the-day"),
    ("attribution asserted 5 days after the discharge", "test_what_is_claimed_five_days_late_is_told_as_catching_up"),
    ("merge of two people with a visit each", "merge-of-two-visits"),
)
"""Every case of section 6, in its order, with what drives it: a case above, or a test of test_worked_cases by its name."""
