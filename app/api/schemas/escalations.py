"""Whom a home names for its escalations, as it is sent and shown."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, OrganizationId, OrganizationIdText, Request, ShortText
from app.api.schemas.organizations import CallBackNumber
from app.domain.program import EscalationPart
from app.domain.public_id import Kind, public_id_or_none
from app.store.escalations import NamedPerson


class NamedPart(StrEnum):
    """A part that somebody is named for; the assignee is each follow-up's own."""

    SUPERVISOR = EscalationPart.SUPERVISOR.value
    MANAGER = EscalationPart.MANAGER.value
    ON_CALL = EscalationPart.ON_CALL.value


class NamePersonRequest(Request):
    """Who plays the part."""

    name: Annotated[ShortText, Field(examples=["S. Sample"])]
    phone: Annotated[CallBackNumber | None, Field(examples=["207-555-0170"])] = None
    organization_id: Annotated[
        OrganizationId | None,
        Field(description="An organization that is told too, such as an on-call service; only while the home grants it its rows"),
    ] = None


class NamedPersonDocument(Document):
    """Who plays a part in the home's escalations."""

    part: NamedPart
    name: str
    phone: str | None
    organization_id: OrganizationIdText | None


class NamedPersonList(Document):
    """Everybody whom the home names."""

    items: list[NamedPersonDocument]


def named_json(named: NamedPerson) -> dict[str, Any]:
    """Show one."""
    return {
        "part": named.part,
        "name": named.name,
        "phone": named.phone,
        "organization_id": public_id_or_none(Kind.ORGANIZATION, named.recipient_id),
    }
