"""What happens in the demo: a past of some days, sent in a burst, and then a present that goes on for as long as one watches.

The same seed and the same start give the same messages, byte for byte: stays of every kind, conversions, corrections, cancellations,
merges, duplicates, messages out of order and late, and some that must be refused. Not here: sending them (traffic.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from app.cli.demo.cast import HOSPITALS, RECIPIENTS, Hospital, Person
from app.cli.demo.dice import Dice
from app.cli.demo.er7 import Spelling, Stay, message, summary

HARBOR, PINEWOOD, RIVERSIDE = HOSPITALS
_CALLING_LATE: Final = frozenset(recipient.key for recipient in RECIPIENTS if recipient.calls_when_warned)
_DEPRESSION, _SCHIZOPHRENIA, _SELF_HARM, _ANXIETY = "F32.2", "F20.9", "T14.91XA", "F41.1"
_ALCOHOL, _OPIOIDS = "F10.239", "F11.23"
_PNEUMONIA, _HEART_FAILURE, _FRACTURE, _CHEST_PAIN = "J18.9", "I50.9", "S72.001A", "R07.9"
_HOME: Final = "01"
_TO_PSYCHIATRY: Final = "65"
_DIED: Final = "20"
_AGAINST_ADVICE: Final = "07"
_TWIN: Final = "Robin"
PAST: Final = timedelta(days=6)
_SHARE_DISCHARGED: Final = 0.45
_SHARE_ADMITTED: Final = 0.4
_FAULTS: Final = (("again", 30), ("nameless", 10), ("stranger", 8), ("training", 12))
"""What comes between the messages, and after how many of a thousand."""
_EVERY_FAULT: Final = 8
_CLOCK_HOURS: Final = 24
"""Of the clock that a visit after self-harm starts (app/standards/programs/suicide_safety.toml)."""
_STEPS: Final = (50, 80, 100)
"""Shares of its time at which its home is told."""
_STEP_AHEAD: Final = timedelta(seconds=15)
"""So long before such a share is reached its hospital tells of the visit."""
_STEP_EVERY: Final = 15
"""Of so many moments of the present, one begins so."""
_RESTING: Final = 6
"""So many of these people are left alone: who comes back to a hospital has a new follow-up, and the clocks of this one stop."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way, and what it shows."""

    hospital: Hospital
    body: bytes
    shows: str
    """The situation, in a word or two, for the curious."""


def sample_message(person: Person, now: datetime) -> bytes:
    """Give an admission that is not part of the story, in lines, for whoever wants to change it and send it."""
    stay = Stay(person, HARBOR, "SAMPLE1", "I", "PSY", now, (_DEPRESSION,))
    return message(stay, "A01", "SAMPLE1", now, now).replace(b"\r", b"\n")


class Story:
    """The story of one demo."""

    def __init__(self, everybody: Sequence[Person], dice: Dice, started_at: datetime) -> None:
        """Begin; nobody is in hospital yet."""
        self._dice = dice
        self._at_home = list(everybody)
        self._open: list[Stay] = []
        self._started_at = started_at
        self._visits = self._messages = self._moments = 0
        self._resting: list[Person] = []

    def past(self) -> list[Message]:
        """Give the messages of the last days, most of them in the order of their events."""
        dated: list[tuple[datetime, int, Message]] = []
        late: list[Message] = []
        for number in range(len(self._at_home) // 2):
            admitted_at = self._started_at - PAST + timedelta(seconds=int(PAST.total_seconds() * 0.9 * self._dice.fraction()))
            for at, one in self._stay(admitted_at, number):
                if at is None:
                    late.append(one)
                elif at <= self._started_at:
                    dated.append((at, len(dated), one))
        ordered = [one for _, _, one in sorted(dated, key=lambda item: item[:2])]
        ordered += late
        return [*self._with_faults(ordered, every=_EVERY_FAULT)]

    def present(self, now: datetime) -> list[Message]:
        """Give what happens next, at this moment: somebody comes, somebody goes, something is put right."""
        self._moments += 1
        if self._moments % _STEP_EVERY == 1 and (waited_for := self._running_out(now)):
            return waited_for
        drawn = self._dice.fraction()
        if drawn < _SHARE_DISCHARGED and self._open:
            stay = self._open.pop(int(self._dice.fraction() * len(self._open)))
            return [*self._with_faults([self._discharge(stay, now)])]
        if drawn < _SHARE_DISCHARGED + _SHARE_ADMITTED and self._at_home:
            stay = self._new_stay(now, self._dice.choice((HARBOR, HARBOR, HARBOR, PINEWOOD, RIVERSIDE)))
            self._open.append(stay)
            trigger = "A04" if stay.patient_class == "E" else "A01"
            return [*self._with_faults([self._write(stay, trigger, now, now, "admission")])]
        if self._open:
            stay = self._dice.choice(self._open)
            if stay.patient_class == "E" and stay.hospital is HARBOR:
                stay.patient_class, stay.unit = "I", "PSY"
                return [self._write(stay, "A06", now, now, "from the emergency department to a bed")]
            return [self._write(stay, "A08", now, now, "an update")]
        return []

    def _running_out(self, now: datetime) -> list[Message]:
        """Tell, hours late, of a visit after self-harm of which nobody has called: a share of its clock is over in a moment."""
        called_late = (place for place, person in enumerate(self._at_home) if set(person.homes) & _CALLING_LATE)
        if (place := next(called_late, None)) is None:
            return []
        percent = _STEPS[self._moments // _STEP_EVERY % len(_STEPS)]
        ended_at = now + _STEP_AHEAD - timedelta(hours=_CLOCK_HOURS * percent / 100)
        began_at, diagnoses = ended_at - self._hours(2, 9), (_SELF_HARM, _DEPRESSION)
        stay = self._stay_of(self._at_home.pop(place), began_at, HARBOR, diagnoses, patient_class="E")
        self._resting.append(stay.person)
        if len(self._resting) > _RESTING:
            self._at_home.append(self._resting.pop(0))
        admission = self._write(stay, "A04", stay.admitted_at, now, "emergency visit of which it tells late")
        stay.discharged_at, stay.disposition, stay.is_final = ended_at, _HOME, True
        return [admission, self._write(stay, "A03", ended_at, now, "its end: a share of a clock is over soon")]

    # The past.

    def _stay(self, admitted_at: datetime, number: int) -> Iterator[tuple[datetime | None, Message]]:
        """Tell one stay of the past. None as its time: it arrives after everything else."""
        kinds = (
            self._psychiatric, self._emergency, self._medical, self._converted, self._discharge_cancelled,
            self._admission_cancelled, self._merged, self._corrected, self._detox, self._out_of_order,
            self._late, self._still_there, self._emergency, self._psychiatric, self._alike,
        )  # fmt: skip
        yield from kinds[number % len(kinds)](admitted_at)

    def _psychiatric(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, self._dice.choice((PINEWOOD, HARBOR)), diagnoses=(_DEPRESSION,), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        yield from self._ended(stay, at + self._hours(20, 90))

    def _emergency(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        diagnoses = self._dice.choice(((_SELF_HARM, _DEPRESSION), (_ANXIETY,), (_CHEST_PAIN,)))
        stay = self._new_stay(at, HARBOR, diagnoses=diagnoses, patient_class="E")
        yield at, self._write(stay, "A04", at, at, "emergency visit")
        yield from self._ended(stay, at + self._hours(2, 9))

    def _medical(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(self._dice.choice((_PNEUMONIA, _HEART_FAILURE, _FRACTURE)),), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        moved_at = at + self._hours(5, 15)
        stay.unit = "ICU"
        yield moved_at, self._write(stay, "A02", moved_at, moved_at, "transfer")
        yield from self._ended(stay, moved_at + self._hours(20, 60), disposition=self._dice.choice((_HOME, _HOME, _HOME, _DIED)))

    def _converted(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_SELF_HARM, _DEPRESSION), patient_class="E")
        yield at, self._write(stay, "A04", at, at, "emergency visit")
        moved_at = at + self._hours(3, 8)
        stay.patient_class, stay.unit = "I", "PSY"
        yield moved_at, self._write(stay, "A06", moved_at, moved_at, "from the emergency department to a bed")
        yield from self._ended(stay, moved_at + self._hours(20, 70))

    def _discharge_cancelled(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, PINEWOOD, diagnoses=(_SCHIZOPHRENIA,), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        ended_at = at + self._hours(15, 30)
        yield ended_at, self._discharge(stay, ended_at)
        back_at = ended_at + self._hours(1, 3)
        stay.discharged_at = None
        yield back_at, self._write(stay, "A13", back_at, back_at, "cancelled discharge")
        yield from self._ended(stay, back_at + self._hours(10, 40))

    def _admission_cancelled(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_PNEUMONIA,), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        back_at = at + self._hours(1, 3)
        yield back_at, self._write(stay, "A11", back_at, back_at, "cancelled admission")
        self._at_home.append(stay.person)

    def _merged(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_DEPRESSION,), patient_class="I")
        right = stay.person.mrn(HARBOR)
        # Registered in a hurry: a second record, without the number that would have said who it is.
        stay.mrn, stay.knows_medicaid = f"TMP{stay.visit}", False
        yield at, self._write(stay, "A01", at, at, "admission under a second record")
        wrong, stay.mrn, stay.knows_medicaid = stay.mrn, right, True
        found_at = at + self._hours(4, 12)
        yield found_at, self._write(stay, "A40", found_at, found_at, "merge", Spelling(merged=wrong))
        yield from self._ended(stay, found_at + self._hours(20, 60))

    def _corrected(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_CHEST_PAIN,), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        ended_at = at + self._hours(20, 50)
        yield ended_at, self._discharge(stay, ended_at)
        coded_at = ended_at + self._hours(4, 10)
        stay.diagnoses, stay.disposition = (_DEPRESSION, _CHEST_PAIN), _AGAINST_ADVICE
        yield coded_at, self._write(stay, "A08", coded_at, coded_at, "final diagnoses")

    def _detox(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, RIVERSIDE, diagnoses=(self._dice.choice((_ALCOHOL, _OPIOIDS)),), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission to a Part 2 program")
        yield from self._ended(stay, at + self._hours(30, 80))

    def _out_of_order(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, PINEWOOD, diagnoses=(_DEPRESSION,), patient_class="I")
        admission = self._write(stay, "A01", at, at, "admission after its discharge")
        ended_at = at + self._hours(10, 30)
        yield ended_at, self._discharge(stay, ended_at)
        yield ended_at + timedelta(minutes=1), admission

    def _late(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_ANXIETY,), patient_class="E")
        yield at, self._write(stay, "A04", at, at, "emergency visit")
        ended_at = at + self._hours(2, 8)
        stay.discharged_at, stay.disposition, stay.is_final = ended_at, _HOME, True
        yield None, self._write(stay, "A03", ended_at, self._started_at, "discharge that comes days late")

    def _alike(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, HARBOR, diagnoses=(_ANXIETY,), patient_class="E")
        self._at_home.append(stay.person)
        # A twin, or a wrong first name? Nobody is joined before a person has looked.
        stay.person = replace(stay.person, first_name=_TWIN)
        stay.mrn, stay.knows_medicaid = f"TMP{stay.visit}", False
        yield at, self._write(stay, "A04", at, at, "a visit of somebody much like another")

    def _still_there(self, at: datetime) -> Iterator[tuple[datetime | None, Message]]:
        stay = self._new_stay(at, self._dice.choice((PINEWOOD, HARBOR)), diagnoses=(_SCHIZOPHRENIA,), patient_class="I")
        yield at, self._write(stay, "A01", at, at, "admission")
        self._open.append(stay)

    def _ended(self, stay: Stay, at: datetime, disposition: str = _HOME) -> Iterator[tuple[datetime | None, Message]]:
        if at > self._started_at:
            self._open.append(stay)
            return
        yield at, self._discharge(stay, at, disposition)
        if stay.patient_class == "I" and stay.hospital is not RIVERSIDE:
            written_at = at + self._hours(1, 5)
            yield written_at, Message(stay.hospital, summary(stay, self._control_id(stay), written_at), "a discharge summary")

    # Parts.

    def _new_stay(
        self, at: datetime, hospital: Hospital, *, diagnoses: tuple[str, ...] | None = None, patient_class: str | None = None
    ) -> Stay:
        person = self._at_home.pop(int(self._dice.fraction() * len(self._at_home)))
        return self._stay_of(person, at, hospital, diagnoses, patient_class)

    def _stay_of(
        self, person: Person, at: datetime, hospital: Hospital, diagnoses: tuple[str, ...] | None, patient_class: str | None
    ) -> Stay:
        self._visits += 1
        if hospital is HARBOR:
            patient_class = patient_class or self._dice.choice(("E", "E", "I"))
            diagnoses = diagnoses or self._dice.choice(((_SELF_HARM, _DEPRESSION), (_ANXIETY,), (_CHEST_PAIN,), (_PNEUMONIA,)))
            unit = "ED" if patient_class == "E" else ("PSY" if diagnoses[0].startswith(("F", "T14")) else "MED")
        else:
            patient_class = patient_class or "I"
            diagnoses = diagnoses or ((_ALCOHOL,) if hospital is RIVERSIDE else (self._dice.choice((_DEPRESSION, _SCHIZOPHRENIA)),))
            unit = self._dice.choice(hospital.units)
        return Stay(person, hospital, f"{hospital.facility[:2]}V{self._visits:05d}", patient_class, unit, at, diagnoses)

    def _discharge(self, stay: Stay, at: datetime, disposition: str = _HOME) -> Message:
        stay.discharged_at, stay.disposition, stay.is_final = at, disposition, True
        if disposition != _DIED:
            self._at_home.append(stay.person)
        return self._write(stay, "A03", at, at, "discharge")

    def _write(self, stay: Stay, trigger: str, at: datetime, sent_at: datetime, shows: str, spelling: Spelling | None = None) -> Message:
        return Message(stay.hospital, message(stay, trigger, self._control_id(stay), at, sent_at, spelling), shows)

    def _control_id(self, stay: Stay) -> str:
        self._messages += 1
        return f"{stay.hospital.facility[:2]}{self._messages:06d}"

    def _with_faults(self, messages: Sequence[Message], *, every: int = 0) -> Iterator[Message]:
        """Put between the messages what real feeds bring: repetitions, training messages, and some that must be refused.

        With `every`, each kind comes once for certain, so far apart.
        """
        certain = {every * place: kind for place, (kind, _) in enumerate(_FAULTS, 1)} if every else {}
        for place, one in enumerate(messages, 1):
            yield one
            drawn = next((kind for kind, most in _FAULTS if self._dice.whole(1, 1000) <= most), None)
            match certain.get(place, drawn):
                case "again":
                    yield Message(one.hospital, one.body, "the same message again")
                case "nameless":
                    yield self._odd(one.hospital, Spelling(without_numbers=True), "a message without a patient number")
                case "stranger":
                    # Over MLLP, where MSH-3 and MSH-4 are all that says who sends.
                    yield self._odd(HARBOR, Spelling(facility="NOWHERE"), "a message from an unknown facility")
                case "training":
                    spelling = Spelling(processing="T", last_name="ZZTEST", first_name="PATIENT")
                    yield self._odd(one.hospital, spelling, "a training message about a test patient")

    def _odd(self, hospital: Hospital, spelling: Spelling, shows: str) -> Message:
        stay = self._new_stay(self._started_at, hospital)
        self._at_home.append(stay.person)
        return self._write(stay, "A01", self._started_at, self._started_at, shows, spelling)

    def _hours(self, low: int, high: int) -> timedelta:
        return timedelta(minutes=self._dice.whole(low * 60, high * 60))
