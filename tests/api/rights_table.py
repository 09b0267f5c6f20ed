"""A generated table of (origin, consent, recipient), told through the doors of one exchange: a hospital and a person for each row.

Everything that a hospital says of its person is marked with the number of the row, so that what turns up anywhere is known to be of it.
What each may read is written down here by hand, from domain section 4 and its R-cases, and not asked of the code.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.api.test_consents import NO_PAPER, TPO
from tests.api.world import ADMIN_KEY, ER7, EVERY_SCOPE, World, load_panel
from tests.support.documents import mdm, pdf
from tests.support.messages import adt

FULL, MINIMAL, NOTHING = "full", "minimal", "nothing"
PART2: Final = ("R", "SUD", "42CFRPart2")
_BEGAN, _ENDED = "20260302100000-0500", "20260306142500-0500"
_HOUSE = {"place": "house", "effective_from": "2020-01-01"}
_PROGRAM = {**_HOUSE, "part2_status": "program"}
_MAINE = {**_HOUSE, "mental_health_licensed": True, "privacy_pack": "us-me"}
_REFUSAL = {**NO_PAPER, "kind": "refusal", "signed_on": "2026-03-02", "reason": "says no"}
_EMERGENCY = {**NO_PAPER, "kind": "emergency", "signed_on": "2026-03-06", "minutes": 600, "reason": "unconscious"}
_PAYER = {"kind": "refusal", "purposes": ["payment", "operations"], "recipient_classes": ["health_plans"], "reason": "paid in full"}
_FOR_HOME = {"kind": "named", "recipient_classes": [], "recipients": ["home"], "expires_on": "2027-01-01", "expires_upon": None}
ELSEWHERE: Final = "PLAINHOSP"
HIDDEN_HOME: Final = ("Zqmeadow", "ZQOHN", "Zqworker", "health_home.contact_2bd", "health_home.follow_up_7d", '"health_home.')
"""Of the home whose own status is protected: its name, its number for the person, its people, its program's clocks."""


@dataclass(frozen=True)
class Row:
    """One row: what the place is, what was signed, and what the home and the plan may read of it."""

    case: str
    home: str
    plan: str
    status: str = "not_program"
    origin: dict[str, Any] | None = None
    is_unit: bool = False
    code: str = "F10.20"
    signed: dict[str, Any] | None = None
    revoked: bool = False
    extra: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """What the home reads of its sensitivity, and the plan where it is a program's."""
    conceals: bool = False
    """What is told must not show why it is so little."""
    hidden_home: bool = False
    """The hidden home follows the person up, and Home B does not claim them."""
    elsewhere: bool = False
    """The person was at a hospital without secrets too, which repeats the number of this one: of that stay everybody is told."""


ROWS: Final = (
    Row("R1: general emergency department", FULL, MINIMAL, labels=("R", "SUD")),
    Row("R2: detox, nothing signed", NOTHING, NOTHING, "sud_only"),
    Row("R3, R12: detox, TPO consent", FULL, MINIMAL, "sud_only", signed={}, labels=PART2),
    Row("detox, a consent that names the home", FULL, NOTHING, "sud_only", signed=_FOR_HOME, labels=PART2),
    Row("detox, revoked after it was told", NOTHING, NOTHING, "sud_only", signed={}, revoked=True),
    Row("R8: detox, emergency", FULL, NOTHING, "sud_only", signed={**_EMERGENCY, "recipients": ["home"]}, labels=PART2),
    Row("R9: Maine, not opted in", NOTHING, NOTHING, origin=_MAINE, code="F32.2"),
    Row("R10: Maine, opted in", FULL, MINIMAL, origin=_MAINE, code="F32.2", signed={"categories": ["mental_health"]}, labels=("R", "PSY")),
    Row("an identified unit", MINIMAL, MINIMAL, origin=_PROGRAM, is_unit=True, conceals=True),
    Row("an identified unit, TPO consent", FULL, MINIMAL, origin=_PROGRAM, is_unit=True, signed={}, labels=PART2),
    Row("nobody has said, and substance use", NOTHING, NOTHING, "unknown"),
    Row("nobody has said, in Maine, not opted in", NOTHING, NOTHING, "unknown", origin=_MAINE),
    Row("opted out", NOTHING, NOTHING, signed=_REFUSAL, code="F32.2"),
    Row("PD1-12", NOTHING, NOTHING, code="F32.2", extra=("PD1||||||||||||Y",)),
    Row("general, mental health", FULL, MINIMAL, code="F32.2", labels=("R", "PSY")),
    Row("paid in full", FULL, NOTHING, code="F32.2", signed=_PAYER, labels=("R", "PSY")),
    Row("followed up by a hidden home", NOTHING, MINIMAL, code="F32.2", hidden_home=True),
    Row("R9: Maine, not opted in, and elsewhere", NOTHING, NOTHING, origin=_MAINE, code="F32.2", elsewhere=True),
    Row("nobody has said, and elsewhere", NOTHING, NOTHING, "unknown", elsewhere=True),
    Row("opted out there, and elsewhere", NOTHING, NOTHING, signed={**_REFUSAL, "discloser_id": "hospital"}, code="F32.2", elsewhere=True),
    Row("PD1-12, and elsewhere", NOTHING, NOTHING, code="F32.2", extra=("PD1||||||||||||Y",), elsewhere=True),
    Row("revoked, and elsewhere", NOTHING, NOTHING, origin=_MAINE, code="F32.2", signed={}, revoked=True, elsewhere=True),
)  # fmt: skip


@dataclass
class Told:
    """A row as it was told: its marks, and the ids that the exchange gave."""

    number: int
    row: Row
    ids: dict[str, str] = field(default_factory=dict)

    def mark(self, what: str) -> str:
        """Give the word that stands for something of this row."""
        return f"ZQ{what}{self.number:02}"

    @property
    def born_on(self) -> str:
        """Give the birth date: nobody shares it."""
        return f"19{60 + self.number}-01-02"

    @property
    def elsewhere(self) -> str:
        """Give the number of the person at the hospital without secrets."""
        return f"ZQELS{self.number:02}"

    @property
    def hospital(self) -> str:
        """Name it."""
        return f"Zqhosp{self.number:02}"

    @property
    def of_the_stay(self) -> tuple[str, ...]:
        """Give what must not show where no more than person, hospital, event and dates may."""
        return (
            *(self.mark(what) for what in ("VIS", "UNIT", "DX", "WHY", "PAP", "OWN")),
            f"Zqdoc{self.number:02}",
            f"Zqtext{self.number:02}",
        )

    @property
    def of_everything(self) -> tuple[str, ...]:
        """Give what must not show where nothing may: the stay, the place, the number that it gave, and our ids of them."""
        ids = [self.ids[name].partition("_")[2] for name in ("encounter", "hospital") if name in self.ids]
        return (*self.of_the_stay, self.hospital, self.mark("FAC"), self.mark("MRN"), *ids)


async def tell(world: World) -> list[Told]:
    """Make the places, claim and sign for everybody, and send what happened to each."""
    told = [Told(number, row) for number, row in enumerate(ROWS, 1)]
    made = await world.api.json(
        "POST", "/v1/organizations", ADMIN_KEY, 201,
        json={"name": "Zqmeadow Opioid Home", "kind": "health_home", "program_roles": ["opioid_health_home"], "part2_status": "program"},
    )  # fmt: skip
    world.ids["meadow"] = made["id"]
    world.keys["meadow"] = await world.key("meadow", *EVERY_SCOPE)
    for one in told:
        await _place(world, one)
    await _register(world, {"name": "Elsewhere General", "kind": "hospital", "part2_status": "not_program"}, ELSEWHERE)
    with_home, hidden = ([one for one in told if one.row.hidden_home is is_hidden] for is_hidden in (False, True))
    for who, prefix, program, mine in (("home", "H", "BHH", with_home), ("plan", "P", "BHH", told), ("meadow", "ZQOHN", "OHH", hidden)):
        await load_panel(world, who, _roster(mine, prefix, program), force=True)
    await _send(world, [message for one in told for message in (_admission(one), *_elsewhere(one, "A01"))])
    stays = (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200, params={"limit": 1000}))["items"]
    for stay in stays:
        if stay["visit_number"].startswith(ELSEWHERE):
            continue
        one = told[int(stay["visit_number"][-2:]) - 1]
        one.ids |= {"encounter": stay["id"], "person": stay["person"]["id"]}
        if one.row.signed is not None:
            await _sign(world, one)
    # Whom a search by number asks for: somebody in an identified unit.
    concealed = next(one for one in told if one.row.conceals)
    world.ids |= {"person_id": concealed.ids["person"], "identifier": f"MAINECARE|ZQMC{concealed.number:02}"}
    await world.stage.settle()
    await _send(world, [message for one in told for message in (_discharge(one), _paper(one), *_elsewhere(one, "A03"))])
    for who in ("home", "meadow"):
        await _work(world, who)
    return told


async def revoke(world: World, told: list[Told]) -> None:
    """End what the table says was revoked."""
    for one in told:
        if one.row.revoked:
            await world.api.json("POST", f"/v1/consents/{one.ids['consent']}/revoke", ADMIN_KEY, 200, json={})


async def _place(world: World, one: Told) -> None:
    body = {"name": one.hospital, "kind": "hospital", "part2_status": one.row.status}
    one.ids["hospital"] = await _register(world, body, one.mark("FAC"))
    if one.row.origin is not None:
        origin = {**one.row.origin, **({"place": "unit", "code": one.mark("UNIT")} if one.row.is_unit else {})}
        await world.api.json("POST", f"/v1/organizations/{one.ids['hospital']}/origins", ADMIN_KEY, 201, json=origin)


async def _register(world: World, body: dict[str, Any], facility: str) -> str:
    """Make a hospital and its feed; give its id."""
    found: str = (await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=body))["id"]
    feed = {
        "organization_id": found, "sending_application": "EPIC", "sending_facility": facility, "time_zone": "America/New_York",
        "assigning_authority": facility,
    }  # fmt: skip
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    return found


def _roster(told: list[Told], prefix: str, program: str) -> str:
    header = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,coordinator\n"
    coordinator = "Zqworker" if program == "OHH" else ""
    rows = [
        f"{prefix}{one.number},{prefix}NUM,Ann,Zqname{one.number:02},{one.born_on},F,ZQMC{one.number:02},{program},2026-01-01,{coordinator}\n"
        for one in told
    ]
    return header + "".join(rows)


def _facts(one: Told) -> dict[str, Any]:
    return {
        "facility": one.mark("FAC"), "mrn": one.mark("MRN"), "medicaid": f"ZQMC{one.number:02}", "name": f"Zqname{one.number:02}^Ann",
    }  # fmt: skip


def _stay(one: Told, trigger: str, at: str, control: str, **more: Any) -> bytes:
    body = adt(
        trigger, at, control=control, visit=one.mark("VIS"), born=one.born_on.replace("-", ""), unit=one.mark("UNIT"), admitted=_BEGAN,
        diagnoses=((f"{one.row.code}^{one.mark('DX')}^I10", "F"),), extra=(f"PV2|||X^{one.mark('WHY')}", *one.row.extra), **_facts(one),
        **more,
    )  # fmt: skip
    if one.row.is_unit:
        # The unit numbers its patients itself, beside the hospital.
        body = body.replace(
            b"^MR~",
            f"^MR~{one.mark('OWN')}1^^^{one.mark('OWN')}^MR~{one.mark('OWN')}2^^^{one.mark('FAC')}_{one.mark('OWN')}^PI~".encode(),
            1,
        )
    return body.replace(b"^Oak^Olive", f"^Zqdoc{one.number:02}^Olive".encode())


def _admission(one: Told) -> bytes:
    return _stay(one, "A01", _BEGAN, f"A{one.number}")


def _discharge(one: Told) -> bytes:
    return _stay(one, "A03", _ENDED, f"D{one.number}", discharged=_ENDED, disposition="01")


def _elsewhere(one: Told, trigger: str) -> list[bytes]:
    """Give the message of a stay of the same person at the hospital without secrets, whose PID-3 repeats the number of the other."""
    if not one.row.elsewhere:
        return []
    is_over = trigger == "A03"
    facts = {**_facts(one), "facility": ELSEWHERE, "mrn": one.elsewhere}
    body = adt(
        trigger, _ENDED if is_over else _BEGAN, control=f"E{trigger}{one.number}", visit=f"{ELSEWHERE}V{one.number:02}",
        born=one.born_on.replace("-", ""), unit="MED", admitted=_BEGAN, discharged=_ENDED if is_over else "",
        disposition="01" if is_over else "", diagnoses=(("I10", "F"),), **facts,
    )  # fmt: skip
    repeated = f"{one.mark('MRN')}^^^{one.mark('FAC')}^MR".encode()
    return [body.replace(b"^MR~", b"^MR~%s~" % repeated, 1)]


def _paper(one: Told) -> bytes:
    written = pdf(f"%PDF-1.4 Zqtext{one.number:02}".encode())
    return mdm(control=f"P{one.number}", number=one.mark("PAP"), visit=one.mark("VIS"), observations=(written,), **_facts(one))


async def _send(world: World, messages: list[bytes]) -> None:
    answer = await world.api.post("/hl7v2/batch", ADMIN_KEY, content=b"\r".join(messages), headers=ER7)
    assert answer.text.count("MSA|AA|") == len(messages), answer.text
    await world.stage.settle()


async def _sign(world: World, one: Told) -> None:
    named = [world.ids[who] for who in one.row.signed.get("recipients", ())] if one.row.signed else []
    body = {**TPO, "person_id": one.ids["person"], "discloser_id": one.ids["hospital"], **(one.row.signed or {}), "recipients": named}
    body["discloser_id"] = one.ids["hospital"] if body["discloser_id"] == "hospital" else body["discloser_id"]
    one.ids["consent"] = (await world.api.json("POST", "/v1/consents", ADMIN_KEY, 201, json=body))["id"]


async def _work(world: World, who: str) -> None:
    """Have a home call everybody whom it follows up."""
    call = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "with": "patient", "role": "RN",
            "live_two_way": True, "author": "Zqworker" if who == "meadow" else "C. Sample"}  # fmt: skip
    for mine in (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200, params={"limit": 1000}))["items"]:
        await world.api.json("POST", f"/v1/follow-ups/{mine['id']}/contacts", world.keys[who], 201, json=call)
    await world.stage.settle()
