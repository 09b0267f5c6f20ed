"""Documents from outside: results and a discharge summary over MLLP, before and after their stay; the home is told and reads the bytes."""

import base64
from datetime import timedelta
from typing import Any

from tests.outside.conftest import Service
from tests.outside.test_spine import DISCHARGED, World, stamp, stay
from tests.support.documents import PDF, mdm, oru, pdf

LARGE = PDF + b"\n" * 700_000
"""A scanned summary of some pages."""


def test_a_summary_over_mllp_is_told_and_read(service: Service) -> None:
    world = World(service)
    admit, discharge = stay(world)
    about: dict[str, Any] = {"facility": world.facility, "medicaid": world.medicaid, "name": world.name}
    result = oru(stamp(DISCHARGED - timedelta(days=1)), control="L1", **about)
    summary = mdm("T02", stamp(DISCHARGED + timedelta(hours=1)), control="D1", observations=(pdf(LARGE),), **about)
    # The result comes before anything is known of the stay.
    replies = service.send_mllp(result, admit, discharge)
    assert all(b"\rMSA|AA|" in reply for reply in replies)
    assert b"|ACK^R01^ACK|L1|" not in replies[0]
    assert b"|ACK^R01^ACK|" in replies[0]
    told = world.home.notifications(2)
    assert [one["encounter"]["has_discharge_summary"] for one in told] == [False, False]
    (reply,) = service.send_mllp(summary)
    assert b"\rMSA|AA|D1" in reply
    assert b"|ACK^T02^ACK|" in reply
    news = world.home.notifications(3)[2]
    assert (news["type"], news["encounter"]["has_discharge_summary"]) == ("encounter.updated", True)
    (follow_up,) = world.home.follow_ups(1)
    assert {one["type"]["loinc"]: one["has_content"] for one in follow_up["documents"]} == {"18842-5": True, "24323-8": False}
    assert follow_up["summary"]["received_at"] is not None
    pointer = next(one for one in follow_up["documents"] if one["has_content"])
    read = world.home.http.get(f"/v1/documents/{pointer['id']}/content")
    assert (read.status_code, read.headers["content-type"], read.content == LARGE) == (200, "application/pdf", True)
    assert world.plan.http.get(f"/v1/documents/{pointer['id']}/content").status_code == 404
    assert base64.b64encode(PDF[:12]).decode() not in world.plan.http.get("/v1/follow-ups").text


def test_a_message_without_its_document_is_refused_with_the_place(service: Service) -> None:
    world = World(service)
    about: dict[str, Any] = {"facility": world.facility, "medicaid": world.medicaid, "name": world.name}
    (reply,) = service.send_mllp(mdm(control="D1", **about).replace(b"\rTXA|", b"\rZXA|"))
    assert b"\rMSA|AE|D1" in reply
    assert b"ERR||TXA^1|100^" in reply
