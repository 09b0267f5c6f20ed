"""Makes the demo's network over the public interface, with the operator's key, as any operator could. Not here: what happens in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from app.cli.demo.cast import HOSPITALS, PSYCHIATRIC_UNIT, RECIPIENTS, TIME_ZONE, Hospital, Person, Recipient, roster
from app.cli.exits import CommandError, ExitCode
from app.cli.http_client import HttpAnswer, HttpClient

_SCOPES_OF_A_HOME: Final = (
    "notifications.read",
    "subscriptions.write",
    "follow-ups.read",
    "follow-ups.write",
    "panels.write",
    "members.read",
)
_SCOPES_OF_A_PLAN: Final = ("notifications.read", "subscriptions.write", "follow-ups.read", "panels.write", "members.read", "measures.read")
_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Member:
    """An organization of the network: its id, its key, and a client that speaks with it."""

    name: str
    id: str
    key: str = field(repr=False)
    client: HttpClient = field(repr=False)


class Network:
    """The network, once it is made."""

    def __init__(self, base_url: str, admin_key: str) -> None:
        """Speak to a service as its operator."""
        self.base_url = base_url
        self.members: dict[str, Member] = {}
        self.feeds: dict[str, str] = {}
        self.operator = self.client(admin_key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for client in (self.operator, *(member.client for member in self.members.values())):
            await client.close()

    def client(self, key: str) -> HttpClient:
        """Give a client that speaks with a key."""
        return HttpClient(self.base_url, key=key, timeout_s=_TIMEOUT_S)

    async def make(self, everybody: Sequence[Person], receiver_url: str) -> dict[str, str]:
        """Make organizations, keys, feeds, panels and subscriptions; give the secret of each recipient's webhook by its key."""
        for hospital in HOSPITALS:
            await self._add_hospital(hospital)
        hospital_key, unit, number = PSYCHIATRIC_UNIT
        path = f"/v1/organizations/{self.members[hospital_key].id}/units/{unit}"
        read(await self.operator.put(path, json={"call_back_number": number}))
        return {recipient.key: await self._add_recipient(recipient, everybody, receiver_url) for recipient in RECIPIENTS}

    async def _add_hospital(self, hospital: Hospital) -> None:
        member = await self._add(hospital.key, {"name": hospital.name, "kind": "hospital", **hospital.more}, ("adt.write",))
        feed = await self._post(
            "/v1/feeds",
            {
                "organization_id": member.id,
                "sending_application": hospital.application,
                "sending_facility": hospital.facility,
                "time_zone": TIME_ZONE,
                "assigning_authority": hospital.facility,
                "profile": {"behavioral_units": ["PSY", "ADULT", "YOUTH"]},
            },
        )
        self.feeds[hospital.key] = feed["id"]

    async def _add_recipient(self, recipient: Recipient, everybody: Sequence[Person], receiver_url: str) -> str:
        scopes = _SCOPES_OF_A_PLAN if recipient.kind == "plan" else _SCOPES_OF_A_HOME
        member = await self._add(recipient.key, {"name": recipient.name, "kind": recipient.kind, "holiday_calendar": "US-ME"}, scopes)
        answer = await member.client.post(
            f"/v1/panels/{member.id}/uploads",
            params={"mode": "replace", "file_name": f"{recipient.key}.csv"},
            content=roster(recipient, everybody),
            headers={"Content-Type": "text/csv"},
        )
        read(answer)
        subscribed = read(await member.client.post("/v1/subscriptions", json={"url": f"{receiver_url}/{recipient.key}"}))
        return str(subscribed["secret"])

    async def _add(self, key: str, organization: Mapping[str, Any], scopes: Sequence[str]) -> Member:
        made = await self._post("/v1/organizations", organization)
        issued = await self._post("/v1/keys", {"organization_id": made["id"], "scopes": list(scopes), "label": "demo"})
        member = self.members[key] = Member(str(organization["name"]), made["id"], issued["key"], self.client(issued["key"]))
        return member

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
        return read(await self.operator.post(path, json=dict(body)))


def read(answer: HttpAnswer) -> Any:  # noqa: ANN401 - a JSON document
    """Give the document of an answer; a refusal ends the demo, with what the service said of it."""
    if not answer.is_success:
        try:
            said = answer.json().get("detail", "")
        except ValueError:
            said = ""
        raise CommandError(
            ExitCode.DEFECT,
            f"The demo's own service answered {answer.method} {answer.path} with {answer.status}: {said}",
            "This is a defect of the demo; please report it.",
        )
    return answer.json() if answer.body else None
