"""Draws what two hospitals send about a few people: registrations, stays, corrections, merges; and the panels that claim them.

Small on purpose: two people, a duplicate registration, few instants, so that examples meet in every way there is.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hypothesis import strategies as st

from tests.properties.world import Claimed
from tests.support.messages import adt, patient

BEGIN = datetime(2026, 3, 2, 15, 0)  # noqa: DTZ001 - written with its offset below


def stamp(hours: float) -> str:
    """Write an instant so many hours after the beginning, with its offset."""
    return (BEGIN + timedelta(hours=hours)).strftime("%Y%m%d%H%M%S+0000")


@dataclass(frozen=True, slots=True)
class Patient:
    """A made-up person as a hospital knows them."""

    name: str
    misspelt: str
    born: str
    sex: str
    medicaid: str
    index: str


ANN = Patient("Alder^Ann", "Alder^Anne", "19800102", "F", "MC1", "E1")
BEN = Patient("Birch^Ben", "Birch^Benn", "19750607", "M", "MC2", "E2")


@dataclass(frozen=True, slots=True)
class Registration:
    """A hospital's record of a patient."""

    facility: str
    application: str
    mrn: str
    patient: Patient
    shows_medicaid: bool
    shows_index: bool = False
    """Whether the exchange's person index has looked at it."""


REGISTRATIONS = (("HOSPA", "EPIC", "M1", ANN), ("HOSPA", "EPIC", "M2", ANN), ("HOSPB", "CERNER", "X1", ANN), ("HOSPA", "EPIC", "M3", BEN))
LIVES = (
    ("A01", "A03"),
    ("A01", "A08", "A03"),
    ("A04", "A03"),
    ("A04", "A06", "A03"),
    ("A04", "A01", "A11", "A03"),
    ("A04", "A03", "A01", "A03"),
    ("A05", "A01", "A02", "A12", "A03"),
    ("A01", "A03", "A13"),
    ("A01", "A03", "A13", "A03"),
    ("A01", "A11"),
    ("A01", "A03", "A08"),
    ("A04", "A02", "A12"),
    ("A01", "A07", "A08"),
    ("A01", "A21", "A22", "A03"),
    ("A01", "A21", "A52", "A15", "A26", "A03"),
    ("A01", "A16", "A25", "A16", "A03", "A54"),
    ("A14", "A04", "A27", "A03"),
    ("A05", "A38", "A01", "A09", "A10", "A03"),
)
CLASSES = {"A01": "I", "A04": "E", "A05": "P", "A06": "I", "A07": "O"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `copy` is the same again under another control id."""

    trigger: str
    fields: tuple[tuple[str, object], ...]
    number: int
    copy: int = 0

    def bytes(self) -> bytes:
        """Write it."""
        given = dict(self.fields)
        return adt(self.trigger, control=f"C{self.number}{'c' * self.copy}", **given)  # type: ignore[arg-type]

    def again(self) -> "Message":
        """Give the same event in another message."""
        return replace(self, copy=self.copy + 1)


@dataclass(frozen=True, slots=True)
class Story:
    """What is sent and who claims whom."""

    messages: tuple[Message, ...]
    claims: tuple[Claimed, ...]


ACCOUNTS = ("A1", "A2")
CLAIMS = (
    Claimed("Home H", medicaid="MC1"),
    Claimed("Home H", first="Ann", last="Alder", born="1980-01-02", sex="F"),
    Claimed("Plan P", medicaid="MC1"),
    Claimed("Plan P", first="Ben", last="Birch", born="1975-06-07", sex="M"),
    Claimed("Home H", medicaid="MC2", effective_from=date(2026, 3, 5)),
    Claimed("Home G", medicaid="MC1", basis="member_choice", effective_from=date(2026, 3, 4)),
    Claimed("Home G", first="Ben", last="Birch", born="1975-06-07", sex="M", basis="claims"),
)
CODES = (("F32.2", "A"), ("F32.2", "F"), ("F10.20", "F"), ("I10", "F"))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a story."""
    is_indexed = draw(st.booleans())
    registrations = [Registration(*one, draw(st.booleans()), is_indexed and draw(st.booleans())) for one in REGISTRATIONS]
    drawn: list[tuple[str, dict[str, object]]] = []
    for visit in range(draw(st.integers(1, 3))):
        drawn += _stay(draw, f"V{visit}", registrations)
    for _ in range(draw(st.integers(0, 2))):
        one = draw(st.sampled_from(registrations))
        drawn.append(
            (draw(st.sampled_from(["A31", "A28"])), {"at": stamp(draw(st.integers(0, 100))), **_patient(draw, one), "patient_class": None})
        )
    merges = [("M1", "M2"), ("M2", "M1"), ("M1", "M3"), ("M1", "M8"), ("M8", "M1")]
    for winner, loser in draw(st.lists(st.sampled_from(merges), max_size=2, unique=True)):
        # M8 is the same patient under another number, and perhaps under the old one again (A47).
        one = next((item for item in registrations if item.mrn == winner), replace(registrations[0], mrn=winner))
        trigger = "A47" if "M8" in (winner, loser) else "A40"
        drawn.append((trigger, {"at": stamp(draw(st.integers(0, 200))), **_patient(draw, one), "merged": loser, "patient_class": None}))
    drawn += [_of_numbers(draw, registrations) for _ in range(draw(st.integers(0, 2)))]
    drawn += [_of_two(draw, registrations) for _ in range(draw(st.integers(0, 2)))]
    messages = tuple(Message(trigger, tuple(fields.items()), number) for number, (trigger, fields) in enumerate(drawn))
    claims = draw(st.lists(st.sampled_from(CLAIMS), max_size=3, unique=True))
    return Story(messages, tuple(claims))


def _of_numbers(draw: st.DrawFn, registrations: list[Registration]) -> tuple[str, dict[str, object]]:
    """Draw what is said of a visit number: retired into another, even in a circle; or somebody else's."""
    one = draw(st.sampled_from(registrations))
    trigger = draw(st.sampled_from(["A42", "A50", "A45", "A44", "A49", "A51"]))
    retired, survivor = draw(st.sampled_from([("V0", "V1"), ("V1", "V0"), ("V0", "W0"), ("V1", "V2"), ("W0", "V2")]))
    fields: dict[str, object] = {"at": stamp(draw(st.integers(0, 300))), **_patient(draw, one), "patient_class": "I", "visit": survivor}
    if trigger in {"A42", "A50"}:
        fields["mrg"] = {5: f"{retired}^^^{one.facility}^VN"}
    elif trigger == "A51":
        fields |= {"mrg": {6: f"{retired}^^^{one.facility}^VN"}, "alternate": survivor, "visit": None}
    elif trigger == "A49":
        account, other = draw(st.permutations(ACCOUNTS))
        fields |= {"mrg": {3: f"{account}^^^{one.facility}^AN"}, "account": other, "visit": None, "patient_class": None}
    elif trigger == "A45":
        fields["mrg"] = {1: f"M9^^^{one.facility}^MR", 5: f"{survivor}^^^{one.facility}^VN"}
    else:
        fields |= {"mrg": {1: f"M9^^^{one.facility}^MR"}, "account": draw(st.sampled_from(ACCOUNTS)), "patient_class": None}
    return trigger, fields


def _of_two(draw: st.DrawFn, registrations: list[Registration]) -> tuple[str, dict[str, object]]:
    """Draw a link of two records of one hospital, taken back or not, or a record that goes from one to the other."""
    one, other, third = draw(st.permutations([item for item in registrations if item.facility == "HOSPA"]))
    fields: dict[str, object] = {"at": stamp(draw(st.integers(0, 300))), **_patient(draw, one), "patient_class": None}
    trigger = draw(st.sampled_from(["A24", "A37", "A43"]))
    if trigger == "A43":
        return trigger, {**fields, "moved_to": other.mrn, "mrg": {1: f"{one.mrn}^^^HOSPA^MR", 4: f"{third.mrn}^^^HOSPA^MR"}}
    second = patient(other.mrn, name=other.patient.name, born=other.patient.born, sex=other.patient.sex)
    return trigger, {**fields, "extra": (second,)}


def _patient(draw: st.DrawFn, one: Registration) -> dict[str, object]:
    misspelt = draw(st.integers(0, 7)) == 0
    patient = one.patient
    return {
        "facility": one.facility,
        "application": one.application,
        "mrn": one.mrn,
        "medicaid": patient.medicaid if one.shows_medicaid else None,
        "index": patient.index if one.shows_index else None,
        "name": patient.misspelt if misspelt else patient.name,
        "born": patient.born,
        "sex": patient.sex,
    }


def _stay(draw: st.DrawFn, visit: str, registrations: list[Registration]) -> list[tuple[str, dict[str, object]]]:
    one = draw(st.sampled_from(registrations))
    at_same_house = [item for item in registrations if item.facility == one.facility]
    hour = draw(st.integers(0, 300))
    patient_class = "I"
    account = draw(st.sampled_from([None, None, *ACCOUNTS]))
    sent = []
    for trigger in draw(st.sampled_from(LIVES)):
        recorded = hour + draw(st.sampled_from([0, 0, 0, 2]))
        patient_class = CLASSES.get(trigger, patient_class)
        # Now and then the stay is written under another patient's number, or corrected to the right one.
        whose = draw(st.sampled_from(at_same_house)) if draw(st.integers(0, 9)) == 0 else one
        fields: dict[str, object] = {
            "at": stamp(recorded),
            "event": stamp(hour) if recorded != hour else None,
            "visit": visit,
            "account": account,
            "patient_class": patient_class,
            **_patient(draw, whose),
            "diagnoses": tuple(draw(st.lists(st.sampled_from(CODES), max_size=2, unique=True))),
        }
        if trigger == "A03":
            fields["disposition"] = draw(st.sampled_from(["01", "65", "20", ""]))
        if trigger == "A08" and draw(st.integers(0, 3)) == 0:
            fields["discharged"] = stamp(hour - 1)
        sent.append((trigger, fields))
        hour += draw(st.sampled_from([0, 1, 24]))
    return sent
