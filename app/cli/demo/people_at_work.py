"""The people of the demo who use the service: coordinators on their worklists, and an analyst of the plan who asks.

Everything goes through the public interface with the keys of their organizations. Not here: the rules that their contacts meet.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from app.cli.demo.cast import AUTHORITY, CLAIMED_TWICE, RECIPIENTS, Person, Recipient
from app.cli.demo.dice import Dice
from app.cli.demo.network import Member, Network
from app.cli.demo.numbers import OVER, WARNED, Numbers
from app.cli.http_client import HttpError

_HOMES: Final = tuple(recipient for recipient in RECIPIENTS if recipient.kind != "plan")
_ROUND_S: Final = 1.2
_CONTACTS_A_ROUND: Final = 2
_DISPUTED_EVERY: Final = 12
"""Of so many calls, one finds out that the person is with another home by now."""
_VISIT: Final = {
    "type": "in_person_office", "outcome": "attended", "with": "patient", "role": "clinician",
    "visit_codes": ["90834"], "diagnoses": ["F32.2"], "place_of_service": "11",
}  # fmt: skip
"""What counts for a measure, which no call does."""
_QUESTION_EVERY_S: Final = 2.0
_SEEN_SHARE: Final = 0.4
_IN_DANGER_SHARE: Final = 0.05
"""Of those who are reached, so many answer the screener so that somebody has to act at once."""
_REACHED: Final = ("reached", "attended")
_SOON: Final = timedelta(days=2)
_PAGE: Final = 1000
_OK: Final = 200
_CREATED: Final = 201
_LONG_POLL_S: Final = 20


class Reader:
    """Reads one recipient's outbox as it grows, by long polls."""

    def __init__(self, recipient: Recipient, member: Member, numbers: Numbers, began_s: float) -> None:
        self._recipient, self._member, self._numbers, self._began_s = recipient, member, numbers, began_s

    async def run(self) -> None:
        """Count every notification, until cancelled."""
        after = 0
        while True:
            try:
                answer = await self._member.client.get("/v1/notifications", params={"after": after, "limit": _PAGE, "wait": _LONG_POLL_S})
            except HttpError:
                await asyncio.sleep(1)
                continue
            if answer.status != _OK:
                await asyncio.sleep(1)
                continue
            for item in answer.json()["items"]:
                after = max(after, item["sequence"])
                self._numbers.told[self._recipient.key, item["type"]] += 1
                if item["type"] in (WARNED, OVER):
                    what = "is over" if item["type"] == OVER else f"at {item['escalation']['percent']} % of its time"
                    self._numbers.clock = f"{item['clock']['id']} {what}"
                if self._numbers.first_told_after_s is None:
                    self._numbers.first_told_after_s = time.monotonic() - self._began_s


class Coordinator:
    """Works one home's list: first somebody is tried, then somebody is reached."""

    def __init__(self, recipient: Recipient, member: Member, dice: Dice, numbers: Numbers, now: Callable[[], datetime]) -> None:
        self._recipient, self._member, self._dice, self._numbers, self._now = recipient, member, dice, numbers, now
        self._contacts = 0

    async def run(self) -> None:
        """Work, until cancelled."""
        while True:
            try:
                await self._round()
            except HttpError:
                await asyncio.sleep(1)
            await asyncio.sleep(_ROUND_S)

    async def _round(self) -> None:
        answer = await self._member.client.get("/v1/follow-ups", params={"limit": _PAGE})
        if answer.status != _OK:
            return
        follow_ups: list[dict[str, Any]] = answer.json()["items"]
        self._count(follow_ups)
        for item in [item for item in follow_ups if self._is_to_be_called(item)][:_CONTACTS_A_ROUND]:
            await self._call(item)

    def _is_to_be_called(self, follow_up: dict[str, Any]) -> bool:
        """Tell whether somebody waits for a call: not who was reached, until the service warns of a clock that this left open."""
        running = [clock for clock in follow_up["clocks"] if clock["state"] in ("pending", "overdue")]
        if follow_up["state"] != "open" or not running:
            return False
        if self._recipient.calls_when_warned:
            running = [clock for clock in running if clock["reached_percent"]]
        return bool(running) and not any(contact["outcome"] in _REACHED for contact in follow_up["contacts"])

    async def _call(self, follow_up: dict[str, Any]) -> None:
        """Call once. Nobody answers the first time, as a rule."""
        tries = len(follow_up["contacts"])
        is_reached = tries > 0 and self._dice.happens(0.75)
        self._contacts += 1
        if self._contacts % _DISPUTED_EVERY == 0 and not self._recipient.calls_when_warned:
            path = f"/v1/follow-ups/{follow_up['id']}/answer"
            await self._member.client.post(path, json={"answer": "not_ours", "author": self._recipient.coordinator})
            return
        contact: dict[str, Any] = {
            "occurred_at": self._now().isoformat(),
            "type": "phone",
            "outcome": "reached" if is_reached else self._dice.choice(("no_answer", "left_message")),
            "with": "patient",
            "role": self._dice.choice(("coordinator", "RN", "peer")),
            "author": self._recipient.coordinator,
            "source": "demo",
        }
        if is_reached:
            level = "moderate" if self._dice.happens(_IN_DANGER_SHARE) else "low"
            contact |= {
                "role": "RN",
                "duration_minutes": self._dice.whole(6, 25),
                "content": {"safety_screen": True, "med_rec": True, "appt_confirmed": True, "safety_plan": True, "c_ssrs_level": level},
            }
            if self._dice.happens(_SEEN_SHARE):
                contact |= _VISIT
        key = f"{self._recipient.key}-{self._contacts}"
        path = f"/v1/follow-ups/{follow_up['id']}/contacts"
        answer = await self._member.client.post(path, json=contact, headers={"Idempotency-Key": key})
        if answer.status == _CREATED:
            self._numbers.contacts[self._recipient.key, str(contact["outcome"])] += 1
            if satisfied := answer.json()["satisfied"]:
                self._numbers.clock = f"{satisfied[0]} is met"

    def _count(self, follow_ups: Sequence[dict[str, Any]]) -> None:
        for counter in (self._numbers.follow_ups, self._numbers.clocks):
            for key in [key for key in counter if key[0] == self._recipient.key]:
                del counter[key]
        soon = self._now() + _SOON
        for item in follow_ups:
            self._numbers.follow_ups[self._recipient.key, item["state"]] += 1
            for clock in item["clocks"]:
                state = clock["state"]
                if state == "pending" and datetime.fromisoformat(clock["due_at"]) <= soon:
                    state = "due"
                self._numbers.clocks[self._recipient.key, state] += 1


class Mover:
    """Two homes claim somebody; the one that leads ends its claim while its follow-up is open, and the other takes it over. Once."""

    def __init__(self, giver: Member, taker: Member, both: Sequence[Person]) -> None:
        self._giver, self._taker = giver, taker
        self._both = {person.medicaid_id for person in both}

    async def run(self) -> None:
        """Look for one until it was given, then wait to be cancelled."""
        while not await self._has_moved():  # noqa: ASYNC110 - a home is asked, it does not tell
            await asyncio.sleep(_QUESTION_EVERY_S)
        await asyncio.Event().wait()

    async def _has_moved(self) -> bool:
        """Go one step. A home that lets somebody go offers the follow-up by that; the other accepts."""
        with contextlib.suppress(HttpError):
            offers = await self._items(self._taker, "/v1/transfers", {"state": "offered"})
            if offers:
                accepted = await self._taker.client.post(f"/v1/follow-ups/{offers[0]['follow_up_id']}/transfer/accept", json={})
                return accepted.status == _OK
            for follow_up in await self._items(self._giver, "/v1/follow-ups", {"status": "open", "limit": _PAGE}):
                found = self._both & {one["value"] for one in follow_up["person"]["identifiers"]}
                if found:
                    self._both -= found
                    await self._let_go(found.pop())
                    break
        return False

    async def _let_go(self, number: str) -> None:
        rows = f"change_type,member_id,member_id_system\nremove,{number},{AUTHORITY}\n"
        path, kind = f"/v1/panels/{self._giver.id}/uploads", {"Content-Type": "text/csv"}
        await self._giver.client.post(path, params={"mode": "delta", "file_name": "change.csv"}, content=rows.encode(), headers=kind)

    @staticmethod
    async def _items(member: Member, path: str, params: dict[str, str | int]) -> list[dict[str, Any]]:
        answer = await member.client.get(path, params=params)
        return list(answer.json()["items"]) if answer.status == _OK else []


class Analyst:
    """Asks for the plan, one member after the other."""

    def __init__(self, member: Member, everybody: Sequence[Person], dice: Dice, numbers: Numbers) -> None:
        self._member, self._dice, self._numbers = member, dice, numbers
        self._covered = [person for person in everybody if person.in_plan]

    async def run(self) -> None:
        """Ask, until cancelled."""
        while True:
            await asyncio.sleep(_QUESTION_EVERY_S)
            try:
                await self._ask(self._dice.choice(self._covered))
            except HttpError:
                continue

    async def _ask(self, person: Person) -> None:
        # The number travels in the body: a URL is written down in too many places.
        found = await self._member.client.post("/v1/members/search", json={"identifier": f"{AUTHORITY}|{person.medicaid_id}"})
        self._numbers.questions += 1
        if found.status != _OK:
            return
        for member in found.json()["items"]:
            answer = await self._member.client.get(f"/v1/members/{member['id']}/follow-ups")
            if answer.status == _OK:
                self._numbers.answered += len(answer.json()["items"])


Worker = Reader | Coordinator | Mover | Analyst


def everybody_at_work(
    network: Network, everybody: Sequence[Person], seed: int, numbers: Numbers, now: Callable[[], datetime], began_s: float
) -> list[Worker]:
    """Give all of them."""
    members = network.members
    workers: list[Worker] = [Reader(one, members[one.key], numbers, began_s) for one in RECIPIENTS]
    workers += [Coordinator(home, members[home.key], Dice(f"{seed}/{home.key}"), numbers, now) for home in _HOMES]
    workers += [Analyst(members[one.key], everybody, Dice(f"{seed}/analyst"), numbers) for one in RECIPIENTS if one.kind == "plan"]
    both = [person for person in everybody if person.homes == CLAIMED_TWICE]
    giver, taker = (members[key] for key in CLAIMED_TWICE)
    return [*workers, Mover(giver, taker, both)]
