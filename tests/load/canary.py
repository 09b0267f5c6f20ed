"""The canary run: marked names, numbers, diagnoses and units in many messages through a whole service, and where any of them turns up.

None may in logs, metrics, errors, acknowledgements, URLs and webhook metadata, nor in anything that a reader reads who is not permitted to.
`python -m tests.load.canary 10000` prints the figures; a test runs a small number (test_canary.py).
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.support.messages import adt
from tests.support.service import SCOPES, Service, running_service

NAME, NUMBER, VISIT, DIAGNOSIS, UNIT = "ZQNAME", "ZQMRN", "ZQVIS", "ZQDX", "ZQUNIT"
MARKS = (NAME, NUMBER, VISIT, DIAGNOSIS, UNIT)
PROTECTED = (VISIT, DIAGNOSIS, UNIT, "F10.20", "42CFR", '"SUD"', "substance", "Part2")
"""What a home must not read of a stay in an identified unit; names and its own numbers it has from its roster. With what is around them
where they are short: F10 alone is in every hundredth id."""
_AT_ONCE = 200
_AT, _ENDED = "20260302100000-0500", "20260306142500-0500"
_READS = ("notifications", "encounters", "follow-ups", "consents", "panels/uploads", "queues", "matches", "inbound", "people")
_WAIT_S = 600.0


@dataclass
class Found:
    """Where which marks turned up, and how much was looked at."""

    messages: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    looked_at: Counter[str] = field(default_factory=Counter)
    told: int = 0

    def look(self, place: str, text: str, forbidden: tuple[str, ...] = MARKS) -> None:
        """Look for marks in a text."""
        self.looked_at[place] += len(text)
        lowered = text.lower()
        for mark in forbidden:
            if count := lowered.count(mark.lower()):
                self.hits[f"{place}: {mark}"] += count


@dataclass
class Received:
    """What a webhook receiver was sent: the bodies, and everything around them."""

    around: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[tuple[str, Received]]:
    """Listen for webhooks on loopback."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server asks for
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            received.around.append(f"{self.path} {self.headers}")
            received.bodies.append(body.decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()


def messages(count: int) -> Iterator[bytes]:
    """Write marked messages: stays in an identified unit, at a program of its own, and what has to be refused."""
    for number in range(count):
        kind, person = number % 4, number // 4
        facts: dict[str, Any] = {
            "mrn": f"{NUMBER}{person}",
            "medicaid": f"MC{person}",
            "name": f"{NAME}{person}^Ann",
            "admitted": _AT,
            "unit": UNIT,
            "diagnoses": ((f"F10.20^{DIAGNOSIS}{person}^I10", "F"),),
            "extra": (f"PV2|||{DIAGNOSIS}^{DIAGNOSIS} told by the patient", f"ZPV|{NAME}|{NUMBER}"),
        }
        ended = {"discharged": _ENDED, "disposition": "01"}
        if kind == 0:
            yield adt("A01", _AT, control=f"C{number}", facility="HOSPA", visit=f"{VISIT}{person}", **facts)
        elif kind == 1:
            yield adt("A03", _ENDED, control=f"C{number}", facility="HOSPA", visit=f"{VISIT}{person}", **ended, **facts)
        elif kind == 2:
            yield adt("A01", _AT, control=f"C{number}", facility="DETOX", visit=f"{VISIT}P{person}", **facts)
        else:
            body = adt("A08", _AT, control=f"C{number}", facility="HOSPA", visit=f"{VISIT}{person}", **facts)
            yield (
                body.replace(b"|19800102|", f"|{NUMBER}|".encode()),
                body.replace(b"ADT^A08", f"ADT^{NAME}".encode()),
                body.replace(b"|HOSPA|HANDOFF", f"|{UNIT}|HANDOFF".encode()),
                body.replace(b"PID|", f"{NAME}|".encode()),
            )[person % 4]


async def run(folder: Path, count: int) -> Found:
    """Send so many messages through a service, and look everywhere."""
    found = Found(count)
    with receiver() as (url, received):
        async with running_service(folder) as service, contextlib.AsyncExitStack() as open_clients:
            await _people(service, count, url)
            clients = {who: await open_clients.enter_async_context(service.client(who)) for who in service.keys}
            batch = list(messages(count))
            for start in range(0, count, _AT_ONCE):
                whose = {"HOSPA": [], "DETOX": []}  # type: dict[str, list[bytes]]
                for one in batch[start : start + _AT_ONCE]:
                    whose["DETOX" if b"|EPIC|DETOX|" in one else "HOSPA"].append(one)
                for who, part in whose.items():
                    body = b"\r".join(part)
                    answer = await clients[who].post(
                        "/hl7v2/batch", content=body, headers={"content-type": "application/hl7-v2"}, timeout=120
                    )
                    assert answer.status_code == 200, answer.status_code
                    # An acknowledgement goes back to whom the message names: MSH-5 and MSH-6 are the sender's own words.
                    found.look("acknowledgements", "\n".join(line for line in answer.text.split("\r") if not line.startswith("MSH")))
            # Every stay in the unit is told of twice, by nothing but the hospital, the event and the dates.
            found.told = await _until_told(clients["home"], 2 * len([one for one in range(count) if one % 4 == 0]))
            await _read(clients, found)
            await _provoke(clients, found)
            async with service.client() as operator:
                found.look("metrics", (await operator.get("/metrics")).text)
            await service.until(lambda: len(received.bodies) > 0, "a webhook", _WAIT_S)
            found.look("webhook metadata", "\n".join(received.around))
            bodies = "\n".join(received.bodies)
            # Were the marks not in what may be read, the whole run would say nothing.
            assert NAME in bodies
            found.look("webhook bodies", bodies, PROTECTED)
        found.look("logs", service.log() + (folder / "err.log").read_text())
    return found


async def _people(service: Service, count: int, url: str) -> None:
    """Make a hospital with an identified unit, a program, a home and a plan that claim everybody, and a stranger."""
    scopes = [*SCOPES, "measures.read"]
    ids: dict[str, str] = {}
    async with service.client() as operator:
        for who, kind, more in (
            ("HOSPA", "hospital", {"part2_status": "not_program"}),
            ("DETOX", "hospital", {"part2_status": "sud_only"}),
            ("home", "behavioral_health_home", {}),
            ("plan", "plan", {}),
            ("stranger", "health_home", {}),
        ):
            ids[who] = await _made(operator, "/v1/organizations", {"name": f"Sample {who.lower()}", "kind": kind, **more}, "id")
            service.keys[who] = await _made(operator, "/v1/keys", {"organization_id": ids[who], "scopes": scopes}, "key")
        for who in ("HOSPA", "DETOX"):
            feed = {"organization_id": ids[who], "sending_application": "EPIC", "sending_facility": who, "time_zone": "America/New_York",
                    "assigning_authority": who}  # fmt: skip
            await _made(operator, "/v1/feeds", feed, "id")
        unit = {"place": "unit", "code": UNIT, "effective_from": "2020-01-01", "part2_status": "program"}
        await _made(operator, f"/v1/organizations/{ids['HOSPA']}/origins", unit, "id")
        rows = "".join(f"MC{one},Ann,{NAME}{one},1980-01-02,F,BHH,2026-01-01\n" for one in range(count // 4 + 1))
        roster = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\n" + rows
        for who in ("home", "plan"):
            path = f"/v1/panels/{ids[who]}/uploads"
            answer = await operator.post(path, params={"mode": "delta"}, content=roster, headers={"content-type": "text/csv"}, timeout=300)
            assert answer.status_code == 201, answer.status_code
    async with service.client("home") as home:
        await _made(home, "/v1/subscriptions", {"url": url}, "id")


async def _made(client: httpx.AsyncClient, path: str, body: dict[str, Any], name: str) -> str:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()[name])


async def _until_told(home: httpx.AsyncClient, expected: int) -> int:
    ends_at, last = time.monotonic() + _WAIT_S, 0
    while last < expected and time.monotonic() < ends_at:
        page = (await home.get("/v1/notifications", params={"after": last, "limit": 1000, "wait": 1})).json()["items"]
        last = page[-1]["sequence"] if page else last
    return last


async def _read(clients: dict[str, httpx.AsyncClient], found: Found) -> None:
    """Read every list to its end as those who are not permitted everything."""
    for who, forbidden in (("home", PROTECTED), ("plan", PROTECTED), ("stranger", MARKS)):
        for name in _READS:
            query: dict[str, Any] = {"limit": 1000}
            while True:
                answer = await clients[who].get(f"/v1/{name}", params=query)
                found.look(f"read by the {who}", f"{answer.text} {answer.headers} {answer.request.url}", forbidden)
                if answer.status_code != 200 or not answer.json().get("next") or not answer.json()["items"]:
                    break
                query["after"] = answer.json()["next"]
        for measure in ("FUH", "FUM", "FUA", "FUI"):
            for path in ("", "/events"):
                answer = await clients[who].get(f"/v1/measures/{measure}{path}", params={"period": "2026"})
                assert answer.status_code == 200, answer.status_code
                if path:
                    found.look(f"read by the {who}", answer.text, forbidden)
                    assert answer.json()["items"] == []
        told = (await clients[who].get("/v1/notifications", params={"limit": 5})).json()["items"]
        for one in told:
            stay = [f"/v1/encounters/{one['encounter']['id']}"] if "encounter" in one else []
            for path in (f"/v1/notifications/{one['id']}/why", *stay):
                found.look(f"read by the {who}", (await clients[who].get(path)).text, forbidden)


async def _provoke(clients: dict[str, httpx.AsyncClient], found: Found) -> None:
    """Ask wrongly with marks in the question: no answer repeats them."""
    stranger = clients["stranger"]
    for path in (f"/v1/encounters/{NAME}1", f"/fhir/Consent/{NUMBER}1", f"/v1/measures/{DIAGNOSIS}", f"/v1/people/{VISIT}1"):
        found.look("errors", (await stranger.get(path)).text)
    body = {"identifier": f"MAINECARE|{NUMBER}1", "last_name": NAME, "unit": UNIT}
    for path in ("/v1/members/search", "/v1/consents", "/fhir/Consent", "/fhir/$process-message", "/v1/encounters", "/v1/subscriptions"):
        found.look("errors", (await stranger.post(path, json=body)).text)


def main() -> None:
    """Print what was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with TemporaryDirectory(prefix="handoff-canary-") as name:
        Path(name).chmod(0o755)
        found = asyncio.run(run(Path(name), count))
    sys.stdout.write(f"{found.messages} messages, the home was told {found.told} times\n")
    for place, characters in sorted(found.looked_at.items()):
        sys.stdout.write(f"  {place:24} {characters:>12,} characters\n")
    sys.stdout.write(f"hits: {sum(found.hits.values())} {dict(found.hits)}\n")
    sys.exit(1 if found.hits else 0)


if __name__ == "__main__":
    main()
