"""Builders for the tests of the HL7v2 adapter: obviously synthetic messages and a plain feed."""

from uuid import UUID

from adapters.hl7v2.er7 import Er7Message, tokenize
from app.domain.feed import Feed, FeedProfile

FEED = Feed(
    id=UUID(int=1),
    organization_id=UUID(int=2),
    sending_application="ZZADT",
    sending_facility="ZZHOSP",
    time_zone="America/New_York",
    assigning_authority="ZZHOSP",
)


def feed(*, time_zone: str = "America/New_York", assigning_authority: str = "ZZHOSP", profile: FeedProfile | None = None) -> Feed:
    return Feed(UUID(int=1), UUID(int=2), "ZZADT", "ZZHOSP", time_zone, assigning_authority, profile=profile or FeedProfile())


def msh(trigger: str = "A03", **fields: str) -> str:
    """An MSH with fields overridden by number, as in `msh("A03", f12="2.3")`."""
    values = {
        3: "ZZADT",
        4: "ZZHOSP",
        5: "HANDOFF",
        6: "ZZEXCH",
        7: "20260105143000",
        8: "",
        9: f"ADT^{trigger}^ADT_{trigger}",
        10: "ZZ0001",
        11: "P",
        12: "2.5.1",
    }
    values.update({int(name[1:]): value for name, value in fields.items()})
    return "MSH|^~\\&|" + "|".join(values.get(number, "") for number in range(3, max(values) + 1))


def segment(name: str, **fields: str) -> str:
    """A segment with fields by number, as in `segment("PV1", f2="I")`."""
    values = {int(key[1:]): value for key, value in fields.items()}
    return "|".join([name, *(values.get(number, "") for number in range(1, max(values, default=0) + 1))])


PID = segment("PID", f1="1", f3="ZZ100^^^ZZHOSP^MR", f5="ZZTEST^ALPHA^Q", f7="19760425", f8="F")
EVN = segment("EVN", f1="A03", f2="20260105142500")
PV1 = segment("PV1", f1="1", f2="I", f3="ZZ3W^301^A^ZZHOSP", f19="ZZV1", f36="01", f44="20260101100000", f45="20260105142000")


def er7(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()


def discharge(*more: str, header: str | None = None, evn: str = EVN, pid: str = PID, pv1: str = PV1) -> bytes:
    return er7(header or msh("A03"), evn, pid, pv1, *more)


def cut(body: bytes, charset: str | None = None) -> Er7Message:
    message = tokenize(body, charset)
    assert isinstance(message, Er7Message), message
    return message
