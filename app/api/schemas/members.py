"""Members as a plan asks for them and sees them."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from app.api.schemas.common import AttributionIdText, Day, Document, Listing, PersonIdText, Request
from app.api.schemas.notifications import PersonDocument
from app.domain.adt_event import Identifier
from app.domain.panel import PanelMember
from app.domain.public_id import Kind, public_id, read_public_id

SEPARATOR = "|"
IDENTIFIER_LENGTH_MAX = 400
_PARTS_MAX = 3


def read_identifier(text: str) -> Identifier | None:
    """Read SYSTEM|VALUE, or SYSTEM|TYPE|VALUE; None when it is neither. An empty SYSTEM: as a roster that named none gave it."""
    parts = [part.strip() for part in text.split(SEPARATOR)]
    if len(parts) not in range(2, _PARTS_MAX + 1) or not parts[-1]:
        return None
    return Identifier(_authority(parts[0]), parts[1].upper() if len(parts) == _PARTS_MAX else "", parts[-1])


def _authority(system: str) -> str:
    """Read a system; a number without one is the organization's own, whose id we show in its place."""
    name = system.strip()
    organization_id = read_public_id(Kind.ORGANIZATION, name) if name.startswith(f"{Kind.ORGANIZATION.value}_") else None
    return str(organization_id or name).upper()


class MemberIdentifier(Request):
    """An identifier that any source gave for the person."""

    system: Annotated[
        str,
        StringConstraints(max_length=227),
        Field(description="Assigning authority; empty: none, as in a roster that names none", examples=["MAINECARE"]),
    ]
    value: Annotated[str, StringConstraints(min_length=1, max_length=100), Field(examples=["MC1"])]
    type: Annotated[str, StringConstraints(max_length=5), Field(description="HL7 table 0203; left out: any", examples=["MA"])] = ""


class MemberSearch(Request):
    """Whom to look for, in the body instead of the address: an address is written to logs on the way."""

    identifier: Annotated[str | MemberIdentifier, Field(description="SYSTEM|VALUE, or its parts", examples=["MAINECARE|MC1"])]
    as_of: Annotated[Day | None, Field(description="Only with a claim that holds on this day")] = None

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        if isinstance(self.identifier, str) and (len(self.identifier) > IDENTIFIER_LENGTH_MAX or read_identifier(self.identifier) is None):
            msg = "identifier is not SYSTEM|VALUE"
            raise ValueError(msg)
        return self

    def wanted(self) -> Identifier:
        """Give the identifier."""
        if isinstance(self.identifier, MemberIdentifier):
            return Identifier(_authority(self.identifier.system), self.identifier.type.strip().upper(), self.identifier.value.strip())
        found = read_identifier(self.identifier)
        if found is None:  # the validator has looked
            raise ValueError
        return found


class CoverageDocument(Document):
    """A claim of the asking organization on the person."""

    id: AttributionIdText
    program: str
    role: str
    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="exclusive; null: open")]
    plan_id: str | None


class MemberDocument(Document):
    """A person on the asking organization's panel."""

    id: PersonIdText
    person: PersonDocument
    coverage: list[CoverageDocument]


MemberPage = Listing[MemberDocument]


def member_json(person: dict[str, Any], claims: list[PanelMember]) -> dict[str, Any]:
    """Show a member."""
    return {
        "id": person["id"],
        "person": person,
        "coverage": [
            {
                "id": public_id(Kind.ATTRIBUTION, claim.id),
                "program": claim.program,
                "role": claim.role,
                "effective_from": claim.effective_from,
                "effective_to": claim.effective_to,
                "plan_id": claim.plan_id,
            }
            for claim in claims
        ],
    }
