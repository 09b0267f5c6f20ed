"""Every status that the contract documents is produced here, for every operation; one that nobody can produce does not belong in it.

Undocumented statuses are found the other way round: the client of every test checks each answer against the contract.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.api.limits import ApiLimits
from app.api.services import Readiness
from tests.api import contract
from tests.api.client import Api, api_of, check
from tests.api.recipes import RECIPES, Recipe
from tests.api.test_matches import ask_about_two
from tests.api.told import Telling
from tests.api.world import ADMIN_KEY, ANN_AT_HOME, EVERY_SCOPE, World, application_with, load_panel, tell_the_story
from tests.support.documents import mdm
from tests.support.messages import adt

CANARY = "Canary-Patient-4711"
SUCCESS = range(200, 300)
_HEADER = "member_id,member_id_system,first_name,last_name,birth_date,sex,program,effective_from"


async def tell_everything(world: World) -> None:
    """Tell the story, with one of everything that a path can name."""
    await tell_the_story(world)
    home, api, ids = world.keys["home"], world.api, world.ids
    ids["subscription_id"] = (await api.json("POST", "/v1/subscriptions", home, 201, json={"url": "https://r.example.org/"}))["id"]
    ids["follow_up_id"] = (await api.json("GET", "/v1/follow-ups", home, 200))["items"][0]["id"]
    contact = {"occurred_at": "2026-03-06T14:40:00-05:00", "type": "phone", "outcome": "no_answer"}
    ids["contact_id"] = (await api.json("POST", f"/v1/follow-ups/{ids['follow_up_id']}/contacts", home, 201, json=contact))["id"]
    await world.send(mdm(control="D1"))
    stay = await api.json("GET", f"/v1/encounters/{ids['encounter_id']}", home, 200)
    ids["document_id"] = stay["documents"][0]["id"]
    requested = {"fact": "requested", "at": "2026-03-06T14:40:00-05:00"}
    ids["fact_id"] = (await api.json("POST", f"/v1/follow-ups/{ids['follow_up_id']}/summary", home, 201, json=requested))["id"]
    ids["unit"] = "PSY"
    await api.json("PUT", f"/v1/organizations/{ids['home']}/units/PSY", home, 200, json={"call_back_number": "207-555-0140"})
    await api.json("PUT", f"/v1/organizations/{ids['home']}/escalation/on_call", home, 200, json={"name": "O. Sample"})
    ids["upload_id"] = (
        await load_panel(world, "home", f"{_HEADER}\nH-9,HOMEB,{CANARY},Sample,yesterday,F,BHH,2026-01-01\n", mode="delta")
    )["id"]
    ids["key_id"] = (await api.json("POST", "/v1/keys", home, 201, json={"scopes": ["members.read"]}))["id"]
    ids["grantee_id"] = ids["plan"]
    await ask_about_two(world)
    ids["authority"] = (await api.json("POST", "/v1/person-index", ADMIN_KEY, 200, json={"authority": "empi_far"}))["authority"]
    ids["npi"] = "1245319599"
    await api.json("POST", f"/v1/organizations/{ids['home']}/practitioners", ADMIN_KEY, 201, json={"npi": ids["npi"]})
    await api.json("POST", f"/v1/organizations/{ids['home']}/grants", home, 201, json={"grantee_id": ids["plan"]})
    refusal = {"person_id": ids["person_id"], "kind": "refusal", "signed_on": "2026-03-02", "recipients": [ids["stranger"]]}
    ids["consent_id"] = (await api.json("POST", "/v1/consents", home, 201, json=refusal))["id"]
    broken = {**refusal, "kind": "break_glass", "recipients": [ids["home"]], "minutes": 30, "reason": "called by the clinic"}
    ids["exception_id"] = (await api.json("POST", "/v1/consents", home, 201, json=broken))["id"]
    unit = {"place": "unit", "code": "DETOX", "effective_from": "2026-01-01", "part2_status": "unknown"}
    ids["registration_id"] = (await api.json("POST", f"/v1/organizations/{ids['hospital']}/origins", ADMIN_KEY, 201, json=unit))["id"]
    # None is held, but where a recipe needs one.
    ids["held_id"] = ids["encounter_id"]
    ids["agreement_id"] = f"agr_{ids['stranger'].removeprefix('org_')}"
    await _let_responsibility_move(world)
    ids["line_id"] = (await api.json("GET", "/v1/audit", ADMIN_KEY, 200))["items"][0]["id"]


@pytest.fixture
def telling() -> Telling:
    """What has happened when a test of this module begins."""
    return tell_everything


async def _hold_a_stay(world: World) -> None:
    """For two days nobody could say what the hospital was, and Ann was there for substance use."""
    unknown = {"place": "house", "effective_from": "2026-02-20", "effective_to": "2026-02-22", "part2_status": "unknown"}
    await world.api.json("POST", f"/v1/organizations/{world.ids['hospital']}/origins", ADMIN_KEY, 201, json=unknown)
    times = {"admitted": "20260220100000-0500", "discharged": "20260221100000-0500", "disposition": "01"}
    await world.send(adt("A03", "20260221100000-0500", control="C7", visit="V7", diagnoses=(("F10.20", "F"),), **times))
    world.ids["held_id"] = (await world.api.json("GET", "/v1/holds", ADMIN_KEY, 200))["items"][0]["encounter_id"]


async def _let_responsibility_move(world: World) -> None:
    """The home answers something that is dismissed; the next day Ann has another home, to which the follow-up is offered."""
    api, ids, home = world.api, world.ids, world.keys["home"]
    answered = await api.json("POST", f"/v1/notifications/{ids['notification_id']}/answer", home, 201, json={"answer": "duplicate"})
    ids["review_id"] = answered["id"]
    await api.json("POST", f"/v1/reviews/{ids['review_id']}/resolve", ADMIN_KEY, 200, json={"decision": "dismissed"})
    body = {"name": "Home N", "kind": "behavioral_health_home"}
    ids["next_home"] = (await api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=body))["id"]
    world.keys["next_home"] = await world.key("next_home", *EVERY_SCOPE)
    world.stage.clock.advance(days=1)
    await load_panel(world, "next_home", ANN_AT_HOME.replace("HOMEB", "HOMEN").replace("2026-01-01", "2026-03-07"))
    await world.stage.settle()


def _ids_of_nothing() -> dict[str, str]:
    names = {part[1:-1] for _, path in contract.OPERATIONS for part in path.split("/") if part.startswith("{")}
    return dict.fromkeys([*names, "home", "plan", "hospital", "next_home", "exception_id", "held_id"], str(uuid4()))


async def _send(api: Api, method: str, template: str, recipe: Recipe, key: str | None, ids: dict[str, str], **changed: Any) -> int:
    options = {**recipe.options(ids), **changed}
    if recipe.streams:
        return await _begin_stream(api, recipe.path(template, ids), key, options)
    return (await api.call(method, recipe.path(template, ids), key, **options)).status_code


async def _begin_stream(api: Api, path: str, key: str | None, options: dict[str, Any]) -> int:
    """Read a stream that the service ends: a whole answer where it is none."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = await api.client.request("GET", path, headers=headers, params=options["params"])
    check(response)
    return response.status_code


@dataclass(frozen=True, slots=True)
class Case:
    """How one status of an operation is produced in the story."""

    world: World
    method: str
    template: str
    recipe: Recipe

    async def produce(self, status: int) -> int:
        """Send the request that should be answered so."""
        way: Callable[[], Awaitable[int]] | None = getattr(self, f"_{status}", None)
        if way is not None and not (status in SUCCESS and status != self.recipe.status):
            return await way()
        if status == self.recipe.status:
            return await self._sent(self._key())
        return await _special(self, status)

    def _key(self) -> str | None:
        return self.world.keys[self.recipe.who] if self.recipe.who else None

    async def _sent(self, key: str | None, ids: dict[str, str] | None = None, **changed: Any) -> int:
        return await _send(self.world.api, self.method, self.template, self.recipe, key, ids or self.world.ids, **changed)

    async def _400(self) -> int:
        return await self._sent(self._key(), json=None, content=b'{"a": NaN}', headers={"content-type": "application/json"})

    async def _401(self) -> int:
        return await self._sent(None)

    async def _403(self) -> int:
        wanted = contract.operation_of(self.method, self.template).get("x-required-scopes", [])
        other = next(scope for scope in EVERY_SCOPE if scope not in wanted)
        who = "home" if self.recipe.who == "operator" else self.recipe.who
        return await self._sent(await self.world.key(who, other))

    async def _404(self) -> int:
        if "{" in self.template:
            return await self._sent(self._key(), _ids_of_nothing())
        if self.template == "/fhir/$process-message":
            return await self._sent(self._key(), params={"feed": "feed_" + "0" * 32})
        if self.template == "/v1/matches":
            nothing = {"left_record_id": str(uuid4()), "right_record_id": str(uuid4())}
            return await self._sent(self._key(), json={**self.recipe.options(self.world.ids)["json"], **nothing})
        # The organization that the request names is somebody else's.
        others = {"organization_id": self.world.ids["stranger"]}
        options = self.recipe.options(self.world.ids)
        if "organization_id" in {one["name"] for one in contract.operation_of(self.method, self.template).get("parameters", [])}:
            return await self._sent(self._key(), params={**options["params"], **others})
        return await self._sent(self._key(), json={**options["json"], **others})

    async def _408(self) -> int:
        async def never_ends() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        headers = {"content-type": self.recipe.content_type or "application/json"}
        limits = ApiLimits(body_wait_s_max=0.05)
        async with api_of(application_with(self.world.stage, limits=limits)) as api:
            return await _send(
                api, self.method, self.template, self.recipe, ADMIN_KEY, self.world.ids, json=None, content=never_ends(), headers=headers
            )

    async def _409(self) -> int:
        if self.template.startswith("/v1/consents/"):
            # Revoking or reviewing twice.
            ids = self.world.ids
            broken = {"person_id": ids["person_id"], "kind": "break_glass", "signed_on": "2026-03-02", "recipients": [ids["home"]]}
            body = {**broken, "minutes": 30, "reason": "called again"}
            another = (await self.world.api.json("POST", "/v1/consents", self.world.keys["home"], 201, json=body))["id"]
            mine = {**ids, "consent_id": another, "exception_id": another}
            await self._sent(self._key(), mine)
            return await self._sent(self._key(), mine)
        if self.template.startswith("/v1/holds/"):
            return await self._sent(self._key(), {**self.world.ids, "held_id": self.world.ids["encounter_id"]})
        return await _special(self, 409)

    async def _413(self) -> int:
        headers = {"content-type": self.recipe.content_type or "application/json", "content-length": str(10**12)}
        return await self._sent(self._key(), json=None, content=b"x", headers=headers)

    async def _415(self) -> int:
        return await self._sent(self._key(), json=None, content=b"x", headers={"content-type": "image/png"})

    async def _422(self) -> int:
        if self.recipe.bad_json is not None:
            return await self._sent(self._key(), json=self.recipe.bad_json)
        return await self._sent(self._key(), params=self.recipe.bad_params)

    async def _429(self) -> int:
        limits = ApiLimits(requests_per_s=0.001, requests_burst=0)
        async with api_of(application_with(self.world.stage, limits=limits)) as api:
            return await _send(api, self.method, self.template, self.recipe, ADMIN_KEY, self.world.ids)

    async def _500(self) -> int:
        return await self._broken(RuntimeError(CANARY))

    async def _503(self) -> int:
        if self.template == "/readyz":
            return await self._not_ready()
        return await self._broken(asyncpg.CannotConnectNowError(CANARY))

    async def _broken(self, error: Exception) -> int:
        """Let everything behind the route fail; the text of the error must not be seen."""

        @asynccontextmanager
        async def failing(_viewer: object) -> AsyncIterator[Any]:
            raise error
            yield

        async def fail(*_: object) -> Any:
            raise error

        stage = self.world.stage
        application = application_with(stage, unit_of_work=failing, receive=fail, validate=fail, report_stay=fail, evaluate=fail)
        async with api_of(application) as api:
            options = self.recipe.options(self.world.ids)
            path = self.recipe.path(self.template, self.world.ids)
            if self.template == "/v1/encounters" and self.method == "POST":
                return await self._broken_as_home(error)
            response = await api.call(self.method, path, ADMIN_KEY, **self._as_operator(options))
        assert CANARY not in response.text
        assert (response.status_code == 503) == ("retry-after" in response.headers)
        assert stage.observed[-1].failure is not None
        assert CANARY not in stage.observed[-1].failure
        return response.status_code

    def _as_operator(self, options: dict[str, Any]) -> dict[str, Any]:
        """Say whose, as the operator must."""
        ids = self.world.ids
        takes = {parameter["name"] for parameter in contract.operation_of(self.method, self.template).get("parameters", [])}
        if "organization_id" in takes and "{organization_id}" not in self.template and self.recipe.who in ids:
            options["params"] = {**options["params"], "organization_id": ids[self.recipe.who]}
        if (
            isinstance(options.get("json"), dict)
            and self.template in ("/v1/subscriptions", "/v1/feeds", "/v1/keys")
            and self.method == "POST"
        ):
            options["json"] = {"organization_id": ids["home"], **options["json"]}
        return options

    async def _broken_as_home(self, error: Exception) -> int:
        """The operator reports no stays: a home does, whose key is known before the rest fails."""

        async def fail(*_: object) -> Any:
            raise error

        async with api_of(application_with(self.world.stage, report_stay=fail)) as api:
            return await _send(api, self.method, self.template, self.recipe, self.world.keys["home"], self.world.ids)

    async def _not_ready(self) -> int:
        async def not_yet() -> Readiness:
            return Readiness(False, {"schema": "one revision behind: handoff migrate up"})

        async with api_of(application_with(self.world.stage, readiness=not_yet)) as api:
            return (await api.get("/readyz")).status_code


async def _special(case: Case, status: int) -> int:
    """Produce what only one operation answers."""
    world, api, ids, home = case.world, case.world.api, case.world.ids, case.world.keys["home"]
    match case.method, case.template, status:
        case "POST", "/hl7v2" | "/hl7v2/batch", 204:
            silent = case.recipe.content.replace(b"|P|2.5.1", b"|P|2.5.1|||NE|NE")
            return await case._sent(case._key(), content=silent, headers={"content-type": "application/hl7-v2", "accept": "text/xml"})
        case "POST", "/v1/feeds", 409:
            again = {**case.recipe.options(ids)["json"], "sending_application": "EPIC"}
            return await case._sent(case._key(), json=again)
        case "PATCH", "/v1/feeds/{feed_id}", 409:
            return await case._sent(case._key(), json={"mode": "test"})
        case "PUT", "/v1/organizations/{organization_id}/preferences", 409:
            return await case._sent(home, json={"rules": [], "version": 99})
        case "POST", "/v1/reviews/{review_id}/resolve", 409:
            return await case._sent(case._key(), json={"decision": "upheld"})
        case "POST", "/v1/inbound/{message_id}/replay", 409:
            unknown = case.world.ids | {}
            message = b"MSH|^~\\&|WHO|KNOWS|||20260302100000||ADT^A01|X1|P|2.5.1\rPID|1||M9^^^WHO^MR\r"
            await api.post("/hl7v2", world.keys["stranger"], content=message, headers={"content-type": "text/plain"})
            found = await api.json("GET", "/v1/inbound", world.keys["stranger"], 200)
            return await case._sent(world.keys["stranger"], unknown | {"message_id": found["items"][0]["id"]})
        case "POST", "/v1/follow-ups/{follow_up_id}/contacts", 409:
            key = {"Idempotency-Key": "one"}
            await case._sent(home, headers=key)
            other = {**case.recipe.options(ids)["json"], "outcome": "no_answer"}
            return await case._sent(home, headers=key, json=other)
        case "POST", "/v1/follow-ups/{follow_up_id}/summary", 409:
            key = {"Idempotency-Key": "two"}
            await case._sent(home, headers=key)
            return await case._sent(home, headers=key, json={**case.recipe.options(ids)["json"], "fact": "reviewed"})
        case (
            "POST",
            ("/v1/panels/{organization_id}/uploads" | "/v1/panels/{organization_id}/consents" | "/v1/services/uploads") as path,
            200,
        ):
            return await case._sent(home if path.startswith("/v1/panels") else world.keys["plan"], params={"dry_run": True})
        case "POST", "/v1/panels/{organization_id}/uploads", 409:
            await load_panel(world, "home", _roster(8))
            return await case._sent(home, content=_roster(1).encode(), params={"mode": "replace"})
    raise AssertionError(
        f"nobody knows how {case.method} {case.template} comes to answer {status}: write it down, or take it from the contract"
    )


def _roster(people: int) -> str:
    rows = (f"H-{number},HOMEB,F{number},Sample,1980-01-{number:02},F,BHH,2026-01-01" for number in range(1, people + 1))
    return "\n".join([_HEADER, *rows, ""])


def test_there_is_a_recipe_for_every_operation() -> None:
    assert set(RECIPES) == set(contract.OPERATIONS)


@pytest.mark.parametrize(("method", "path"), contract.OPERATIONS, ids=[f"{method} {path}" for method, path in contract.OPERATIONS])
async def test_every_documented_status_is_produced(world: World, method: str, path: str) -> None:
    recipe = RECIPES[method, path]
    if recipe.streams:
        # A closed hub ends streams after what is there, so that they can be read whole.
        world.stage.services.arrivals.close()
    if path.startswith("/v1/holds/"):
        await _hold_a_stay(world)
    case = Case(world, method, path, recipe)
    # The success last: some take away what the others need.
    documented = sorted(contract.statuses_of(method, path), key=lambda status: (status in SUCCESS, status))
    assert {status: await case.produce(status) for status in documented} == {status: status for status in documented}
