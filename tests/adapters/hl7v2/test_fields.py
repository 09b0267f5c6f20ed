"""Single fields of a message, also of one that cannot be interpreted."""

from adapters.hl7v2.fields import Er7FieldReader
from app.domain.completeness import census
from app.standards.completeness_rules import directtrust
from tests.support.messages import adt

READER = Er7FieldReader()

WHOLE = (
    "MSH|^~\\&|EPIC|HOSPA|HANDOFF|HIE|20260302100000-0500||ADT^A01|C1|P|2.5.1\r"
    "EVN||20260302100000-0500|||||HOSPA^1234567893^NPI\r"
    "PID|1||M1^^^HOSPA^MR~MC1^^^MAINECARE^MA||Alder^Ann||19800102|F||||||||||A77\r"
    "PV1||I|PSY^101^1^HOSPA^^^^^Psychiatry|E|||||||||||||||V1^^^HOSPA^VN|||||||||||||||||||||||||20260302100000-0500\r"
    "PV2|||^Synthetic reason||||||||||||||||||||Hospital A\r"
)


def test_fields_are_given_repetition_by_repetition() -> None:
    fields = READER.fields(WHOLE.encode())
    assert fields is not None
    assert fields.trigger == "A01"
    assert fields.values("PID", 3) == ["M1", "MC1"]
    assert fields.values("PID", 3, 5) == ["MR", "MA"]
    assert fields.values("PID", 5, 2) == ["Ann"]
    assert fields.values("PID", 99) == []
    assert fields.values("ZZZ", 1) == []
    assert fields.values("MSH", 10) == ["C1"]


def test_what_is_erased_or_escaped_is_read_so() -> None:
    body = b'MSH|^~\\&|EPIC|HOSPA|||20260302||ADT^A08|C1|P|2.5.1\rEVN|A08\rPID|1||""~M\\T\\1^^^HOSPA||O\\F\\D&x^Ann\r'
    fields = READER.fields(body)
    assert fields is not None
    assert fields.values("PID", 3) == ["", "M&1"]
    assert fields.values("PID", 5) == ["O|D"]


def test_a_trigger_may_stand_in_evn() -> None:
    fields = READER.fields(b"MSH|^~\\&|EPIC|HOSPA|||20260302||ADT|C1|P|2.2\rEVN|A03\r")
    assert fields is not None
    assert fields.trigger == "A03"


def test_what_is_no_message_has_no_fields() -> None:
    assert READER.fields(b"") is None
    assert READER.fields(b'{"resourceType": "Bundle"}') is None


def test_a_whole_message_meets_the_profile() -> None:
    """DIR-1: a message that carries every required field lacks none; PV1-36 is asked of a discharge only."""
    fields = READER.fields(WHOLE.encode())
    assert fields is not None
    found = dict(census(directtrust().fields, fields))
    assert [place for place, is_there in found.items() if not is_there] == []
    assert "PV1-36" not in found
    assert {"EVN-7", "PV2-3", "PV2-23", "PID-3.5", "PV1-3.9"} <= set(found)


def test_a_poor_message_lacks_what_it_lacks() -> None:
    """DIR-1: each field on its own."""
    fields = READER.fields(adt("A03", "20260306143000", control="C2"))
    assert fields is not None
    missing = {place for place, is_there in census(directtrust().fields, fields) if not is_there}
    assert missing == {"EVN-2", "EVN-7", "PID-18", "PV1-3.9", "PV1-4", "PV1-44", "PV1-36", "PV2-23"}
