"""The canary run: marked names, numbers, diagnoses and units in many messages through a whole service, and where any of them turns up.

None may in logs, metrics, errors, acknowledgements, URLs and webhook metadata, nor in anything that a reader reads who is not permitted to;
nor may anything of a home whose own status is sensitive (canary_homes): its name, numbers, people, program, clocks, and the measure of what
it reported. `python -m tests.load.canary 10000` prints the figures; a test runs a small number (test_canary.py).
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

from tests.api.client import Api
from tests.api.every_way import read_everything
from tests.load.canary_homes import HIDDEN_HOMES, REPORTED_FROM, REPORTED_MEASURE, roster_of, work
from tests.support.messages import adt
from tests.support.service import SCOPES, Service, running_service

NAME, NUMBER, VISIT, DIAGNOSIS, UNIT = "ZQNAMEMARK", "ZQMRNMARK", "ZQVISMARK", "ZQDXMARK", "ZQUNITMARK"
MARKS = (NAME, NUMBER, VISIT, DIAGNOSIS, UNIT)
"""Too long to be in a signature or an id by chance: four letters are, in base64 and among thousands of webhooks."""
OF_THE_UNIT = (VISIT, DIAGNOSIS, UNIT, "F10.20", "fui.", "fua.")
"""What only a stay in the identified unit brings, the ids of clocks that it would start too. With what is around them where they are short:
F10 alone is in every hundredth id."""
PROTECTED = (*OF_THE_UNIT, "42CFR", '"SUD"', "substance", "Part2")
"""What a home must not read of a stay in an identified unit; names and its own numbers it has from its roster."""
OF_HOMES = tuple(sorted({word for home in HIDDEN_HOMES for word in home.words}))
"""What nobody but the home itself may read of homes whose own status is sensitive, and nothing else may say."""
_AT_ONCE = 200
_KINDS = 5
_AT, _ENDED = "20260302100000-0500", "20260306142500-0500"
_READS = ("notifications", "encounters", "follow-ups", "consents", "panels/uploads", "queues", "matches", "inbound", "people", "transfers",
          "reviews", "organizations", "panels", "panels/conflicts", "referral-candidates", "audit", "subscriptions")  # fmt: skip
_TOLD = ("home", "plan", "agency")
"""Who claims everybody, and has a receiver."""
_FORBIDDEN = {"home": PROTECTED + OF_HOMES, "plan": PROTECTED + OF_HOMES, "agency": PROTECTED + OF_HOMES, "stranger": MARKS + OF_HOMES,
              "HOSPA": OF_HOMES, "DETOX": OF_HOMES}  # fmt: skip
"""Reader -> what it must not read. A hospital reads what it said itself."""
_OF_A_KIND_MAX = 2
_OF_RULES = ("/v1/measures", "/fhir/Measure/", "/v1/organizations", "/v1/panels/{organization_id}/rehearsal")
"""Where words of the law are those of a rule, a measure's title or the reader's own organization, and only marks are of a stay."""
_WAIT_S = 600.0
_ANSWER_S = 120.0


@dataclass
class Found:
    """Where which marks turned up, and how much was looked at."""

    messages: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    looked_at: Counter[str] = field(default_factory=Counter)
    told: int = 0
    worked: dict[str, int] = field(default_factory=dict)
    """Hidden home -> follow-ups that it worked on."""

    def look(self, place: str, text: str, forbidden: tuple[str, ...] = MARKS, *, way: str = "") -> None:
        """Look for marks in a text. `way`: by which operation it came, for whoever has to find out why."""
        self.looked_at[place] += len(text)
        lowered = text.lower()
        for mark in forbidden:
            if count := lowered.count(mark.lower()):
                self.hits[f"{place}{f' ({way})' if way else ''}: {mark}"] += count


@dataclass
class Received:
    """What a webhook receiver was sent: the bodies, and everything around them."""

    around: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    to: set[str] = field(default_factory=set)
    """By what path, and so by whom."""


@contextmanager
def receiver() -> Iterator[tuple[str, Received]]:
    """Listen for webhooks on loopback."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server asks for
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            received.around.append(f"{self.path} {self.headers}")
            received.bodies.append(body.decode())
            received.to.add(self.path)
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
    """Write marked messages: stays in an identified unit, at a program of its own, what has to be refused, and stays without a secret.

    The last are those in which homes follow people up whose own status is sensitive: only that these do must not show.
    """
    for number in range(count):
        kind, person = number % _KINDS, number // _KINDS
        facts: dict[str, Any] = {
            "mrn": f"{NUMBER}{person}",
            "medicaid": f"MC{person}",
            "name": f"{NAME}{person}^Ann",
            "admitted": _AT,
        }
        ended = {"discharged": _ENDED, "disposition": "01"}
        if kind == _KINDS - 1:
            plain = (("F32.2^Major depression^I10", "F"),)
            yield adt(
                "A03", _ENDED, control=f"C{number}", facility="HOSPA", visit=f"PLAIN{person}", unit="MED", diagnoses=plain, **ended, **facts
            )
            continue
        facts |= {
            "unit": UNIT,
            "diagnoses": ((f"F10.20^{DIAGNOSIS}{person}^I10", "F"),),
            "extra": (f"PV2|||{DIAGNOSIS}^{DIAGNOSIS} told by the patient", f"ZPV|{NAME}|{NUMBER}"),
        }
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


@dataclass
class Exchange:
    """The exchange as its clients see it."""

    service: Service
    api: Api
    """Of the operator's address; the key is given with each call."""
    ids: dict[str, str] = field(default_factory=dict)
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """Who -> key."""
        return self.service.keys


class Insistent(httpx.AsyncHTTPTransport):
    """Asks again where the service says `Retry-After`: what is looked for is what it says, not how soon."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, some times."""
        answer = await super().handle_async_request(request)
        for _ in range(20):
            if answer.status_code != 503:
                break
            await answer.aclose()
            await asyncio.sleep(1)
            answer = await super().handle_async_request(request)
        return answer


def _client(service: Service, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=_ANSWER_S, transport=Insistent())


async def run(folder: Path, count: int) -> Found:
    """Send so many messages through a service, and look everywhere."""
    found = Found(count)
    with receiver() as (url, received):
        async with running_service(folder) as service, contextlib.AsyncExitStack() as open_clients:
            operator = await open_clients.enter_async_context(_client(service, service.admin_key))
            exchange = Exchange(service, Api(operator))
            await _people(exchange, operator, count, url)
            for who in service.keys:
                exchange.clients[who] = await open_clients.enter_async_context(_client(service, service.keys[who]))
            await _send(exchange, found, count)
            # Every stay in the unit is told of twice, by nothing but the hospital, the event and the dates; a plain one, once.
            kinds = Counter(number % _KINDS for number in range(count))
            found.told = await _until_told(exchange.clients["home"], 2 * kinds[0] + kinds[_KINDS - 1])
            for home in HIDDEN_HOMES:
                await _until_told(exchange.clients[home.who], 1)
                found.worked[home.who] = await work(exchange.clients[home.who], home)
            await _settled(exchange.clients["home"])
            await _read(exchange, found)
            await _provoke(exchange, found)
            found.look("metrics", (await operator.get("/metrics")).text, MARKS + OF_HOMES)
            await service.until(lambda: received.to == {f"/{who}" for who in _TOLD}, "a webhook to each", _WAIT_S)
            found.look("webhook metadata", "\n".join(received.around), MARKS + OF_HOMES)
            bodies = "\n".join(received.bodies)
            # Were the marks not in what may be read, the whole run would say nothing.
            assert NAME in bodies
            found.look("webhook bodies", bodies, PROTECTED + OF_HOMES)
        found.look("logs", service.log() + (folder / "err.log").read_text(), MARKS + OF_HOMES)
    return found


async def _send(exchange: Exchange, found: Found, count: int) -> None:
    batch = list(messages(count))
    for start in range(0, count, _AT_ONCE):
        whose = {"HOSPA": [], "DETOX": []}  # type: dict[str, list[bytes]]
        for one in batch[start : start + _AT_ONCE]:
            whose["DETOX" if b"|EPIC|DETOX|" in one else "HOSPA"].append(one)
        for who, part in whose.items():
            body = b"\r".join(part)
            answer = await exchange.clients[who].post(
                "/hl7v2/batch", content=body, headers={"content-type": "application/hl7-v2"}, timeout=120
            )
            assert answer.status_code == 200, answer.status_code
            # An acknowledgement goes back to whom the message names: MSH-5 and MSH-6 are the sender's own words.
            said = "\n".join(line for line in answer.text.split("\r") if not line.startswith("MSH"))
            found.look("acknowledgements", said, MARKS + OF_HOMES)


async def _people(exchange: Exchange, operator: httpx.AsyncClient, count: int, url: str) -> None:
    """Make two hospitals, one with an identified unit and one a program, who claims everybody, the hidden homes, and a stranger."""
    scopes = [*SCOPES, "measures.read"]
    ids = exchange.ids
    for who, name, facts in (
        ("HOSPA", "Sample hospa", {"kind": "hospital", "part2_status": "not_program"}),
        ("DETOX", "Sample detox", {"kind": "hospital", "part2_status": "sud_only"}),
        ("home", "Sample home", {"kind": "behavioral_health_home"}),
        ("plan", "Sample plan", {"kind": "plan"}),
        ("agency", "Sample agency", {"kind": "agency"}),
        ("stranger", "Sample stranger", {"kind": "health_home"}),
        *((one.who, one.name, one.facts) for one in HIDDEN_HOMES),
    ):
        ids[who] = await _made(operator, "/v1/organizations", {"name": name, **facts}, "id")
        exchange.keys[who] = await _made(operator, "/v1/keys", {"organization_id": ids[who], "scopes": scopes}, "key")
    for who in ("HOSPA", "DETOX"):
        feed = {"organization_id": ids[who], "sending_application": "EPIC", "sending_facility": who, "time_zone": "America/New_York",
                "assigning_authority": who}  # fmt: skip
        await _made(operator, "/v1/feeds", feed, "id")
    unit = {"place": "unit", "code": UNIT, "effective_from": "2020-01-01", "part2_status": "program"}
    await _made(operator, f"/v1/organizations/{ids['HOSPA']}/origins", unit, "id")
    for home in HIDDEN_HOMES:
        if home.origin is not None:
            await _made(operator, f"/v1/organizations/{ids[home.who]}/origins", home.origin, "id")
    people = [(f"MC{one}", f"{NAME}{one}") for one in range(count // _KINDS + 1)]
    rows = "".join(f"{number},Ann,{name},1980-01-02,F,BHH,2026-01-01\n" for number, name in people)
    roster = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\n" + rows
    for who in _TOLD:
        await _upload(operator, ids[who], roster)
    for place, home in enumerate(HIDDEN_HOMES):
        await _upload(operator, ids[home.who], roster_of(home, people[place :: len(HIDDEN_HOMES)]))
    for who in _TOLD:
        async with exchange.service.client(who) as client:
            await _made(client, "/v1/subscriptions", {"url": f"{url}{who}"}, "id")


async def _upload(operator: httpx.AsyncClient, organization_id: str, roster: str) -> None:
    answer = await operator.post(
        f"/v1/panels/{organization_id}/uploads",
        params={"mode": "delta"},
        content=roster,
        headers={"content-type": "text/csv"},
        timeout=300,
    )
    assert answer.status_code == 201, answer.text


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


async def _settled(home: httpx.AsyncClient) -> None:
    """Wait until what the hidden homes did has come to whoever would be told of it: nothing new for a while."""
    last = -1
    while True:
        page = (await home.get("/v1/notifications", params={"after": max(last, 0), "limit": 1000, "wait": 3})).json()["items"]
        if not page:
            return
        last = page[-1]["sequence"]


async def _read(exchange: Exchange, found: Found) -> None:
    """Read every list to its end, and by every other way some of each, as those who are not permitted everything."""
    worked = await _of_hidden_homes(exchange)
    person = (await exchange.clients["home"].get("/v1/notifications", params={"limit": 1})).json()["items"][0]["person"]["id"]
    exchange.ids |= {"person_id": person, "identifier": "MAINECARE|MC0", "hospital": exchange.ids["HOSPA"]}
    for who, forbidden in _FORBIDDEN.items():
        client, place = exchange.clients[who], f"read by the {who}"
        for name in _READS:
            query: dict[str, Any] = {"limit": 1000}
            while True:
                answer = await client.get(f"/v1/{name}", params=query)
                found.look(place, f"{answer.text} {answer.headers} {answer.request.url}", _of_stays(f"/v1/{name}", forbidden), way=name)
                if answer.status_code != 200 or not answer.json().get("next") or not answer.json()["items"]:
                    break
                query["after"] = answer.json()["next"]
        await _read_measures(exchange, who, found)
        # Every operation of the contract that reads, with ids that only the hidden homes know among those that are asked for.
        for read in await read_everything(exchange, who, worked, of_a_kind_max=_OF_A_KIND_MAX):
            found.look(place, read.text.replace(read.path, ""), _of_stays(read.way, forbidden), way=read.way)


def _of_stays(way: str, forbidden: tuple[str, ...]) -> tuple[str, ...]:
    """Give what must not be read by an operation: words of the law do not speak of a stay everywhere."""
    words = set(PROTECTED).difference(OF_THE_UNIT) if way.startswith(_OF_RULES) else ()
    return tuple(word for word in forbidden if word not in words)


async def _read_measures(exchange: Exchange, who: str, found: Found) -> None:
    """Nobody has a measure of a stay in the unit, or of what a hidden home reported; of a plain stay who may be told of it has."""
    client, place, forbidden = exchange.clients[who], f"read by the {who}", _FORBIDDEN[who]
    named = [{}, {"group_by": "home"}, *({"home_id": exchange.ids[home.who]} for home in HIDDEN_HOMES)]  # type: list[dict[str, str]]
    for measure in ("FUH", "FUM", "FUA", "FUI"):
        for more in named:
            answer = await client.get(f"/v1/measures/{measure}", params={"period": "2026", **more})
            assert answer.status_code == 200, answer.status_code
            found.look(place, answer.text, forbidden)
        answer = await client.get(f"/v1/measures/{measure}/events", params={"period": "2026", "limit": 1000})
        assert answer.status_code == 200, answer.status_code
        found.look(place, answer.text, forbidden)
        if measure != "FUH" and who not in ("HOSPA", "DETOX"):
            assert answer.json()["items"] == [], (who, measure)


async def _of_hidden_homes(exchange: Exchange) -> set[str]:
    """Give ids that hidden homes were given: of follow-ups, contacts, stays that they reported and the notifications of these."""
    found: set[str] = set()
    for home in HIDDEN_HOMES:
        client = exchange.clients[home.who]
        for name in ("follow-ups", "notifications", "encounters"):
            listed = (await client.get(f"/v1/{name}", params={"limit": 1000})).json()["items"]
            if name == "encounters":
                listed = [one for one in listed if one["source"] == "reported"]
            found |= {one["id"] for one in listed[:_OF_A_KIND_MAX]}
            found |= {contact["id"] for one in listed[:_OF_A_KIND_MAX] for contact in one.get("contacts", ())}
        assert any(measure["measure"] == REPORTED_MEASURE for one in await _all(client, "follow-ups") for measure in one["measures"])
        own = "".join([(await client.get(f"/v1/{name}", params={"limit": 1000})).text for name in ("follow-ups", "encounters")])
        # It reads itself what nobody else may: were it not there, that nobody finds it would say nothing.
        missing = [word for word in (home.program, home.worker, home.numbers, REPORTED_FROM) if word not in own]
        assert missing == [], f"{home.who} does not read {missing} itself"
    return found


async def _all(client: httpx.AsyncClient, name: str) -> list[dict[str, Any]]:
    found, query = [], {"limit": 1000}  # type: list[dict[str, Any]], dict[str, Any]
    while True:
        page = (await client.get(f"/v1/{name}", params=query)).json()
        found += page["items"]
        if not page.get("next"):
            return found
        query["after"] = page["next"]


async def _provoke(exchange: Exchange, found: Found) -> None:
    """Ask wrongly with marks in the question: no answer repeats them."""
    stranger, forbidden = exchange.clients["stranger"], MARKS + OF_HOMES
    for path in (f"/v1/encounters/{NAME}1", f"/fhir/Consent/{NUMBER}1", f"/v1/measures/{DIAGNOSIS}", f"/v1/people/{VISIT}1"):
        found.look("errors", (await stranger.get(path)).text, forbidden)
    body = {"identifier": f"MAINECARE|{NUMBER}1", "last_name": NAME, "unit": UNIT}
    for path in ("/v1/members/search", "/v1/consents", "/fhir/Consent", "/fhir/$process-message", "/v1/encounters", "/v1/subscriptions"):
        found.look("errors", (await stranger.post(path, json=body)).text, forbidden)
    for who in ("home", "plan"):
        await _ask_for_hidden_homes(exchange, who, found)


async def _ask_for_hidden_homes(exchange: Exchange, who: str, found: Found) -> None:
    """Name a hidden home in the question: the answer says no more of it."""
    client = exchange.clients[who]
    for home in HIDDEN_HOMES:
        id_ = exchange.ids[home.who]
        for path in (
            f"/v1/organizations/{id_}", f"/v1/organizations/{id_}/origins", f"/v1/organizations/{id_}/units", f"/v1/panels/{id_}",
            f"/v1/panels/{id_}/members", f"/v1/panels/{id_}/quality", f"/v1/panels/{id_}/rehearsal", f"/v1/panels/{id_}/uploads",
            f"/fhir/Group/{id_.partition('_')[2]}", f"/v1/follow-ups?home={id_}", f"/v1/follow-ups?home={id_}&home_at=day7",
            f"/v1/notifications?organization_id={id_}", f"/v1/members?identifier={home.numbers}|{home.numbers}MC0",
            f"/v1/follow-ups?program={home.program}", f"/v1/follow-ups?assignee={home.worker}",
        ):  # fmt: skip
            answer = await client.get(path)
            found.look("errors", answer.text, OF_HOMES)
            if answer.status_code == 200:
                assert answer.json().get("items", []) == [], (who, path)
        (mine, *_) = (await client.get("/v1/follow-ups", params={"limit": 1})).json()["items"]
        for path, body in (
            (f"/v1/follow-ups/{mine['id']}/transfer", {"to": id_}),
            (f"/v1/organizations/{id_}/grants", {"grantee_id": id_}),
        ):
            found.look("errors", (await client.post(path, json=body)).text, OF_HOMES)


def main() -> None:
    """Print what was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with TemporaryDirectory(prefix="handoff-canary-") as name:
        Path(name).chmod(0o755)
        found = asyncio.run(run(Path(name), count))
    worked = ", ".join(f"{who} worked on {many} follow-ups" for who, many in found.worked.items())
    sys.stdout.write(f"{found.messages} messages, the home was told {found.told} times; {worked}\n")
    for place, characters in sorted(found.looked_at.items()):
        sys.stdout.write(f"  {place:24} {characters:>12,} characters\n")
    sys.stdout.write(f"hits: {sum(found.hits.values())} {dict(found.hits)}\n")
    sys.exit(1 if found.hits else 0)


if __name__ == "__main__":
    main()
