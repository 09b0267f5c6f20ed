"""Keys as they are asked for and shown."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from app.api.schemas.common import Document, Instant, InstantIn, KeyIdText, Listing, OrganizationId, OrganizationIdText, Request
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope
from app.store.api_keys import ApiKey


class NewKey(Request):
    """A key to make. A key can give no scope that it does not carry itself."""

    organization_id: Annotated[OrganizationId | None, Field(description="Whose key; the asking key's own organization when left out.")] = (
        None
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope), examples=[["notifications.read", "follow-ups.read"]])]
    label: Annotated[
        str, StringConstraints(max_length=200), Field(description="For people: where it is used", examples=["nightly poll"])
    ] = ""
    expires_at: InstantIn | None = None


class KeyDocument(Document):
    """A key without the key."""

    id: KeyIdText
    organization_id: OrganizationIdText
    scopes: list[Scope]
    label: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None


class IssuedKeyDocument(KeyDocument):
    """A new key, with the key itself: it is shown this once."""

    key: Annotated[str, Field(description="Send it as `Authorization: Bearer <key>`. It cannot be shown again.", examples=["hk_dev_…"])]


KeyPage = Listing[KeyDocument]


def key_json(found: ApiKey) -> dict[str, Any]:
    """Show a key."""
    return {
        "id": public_id(Kind.KEY, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "scopes": list(found.scopes),
        "label": found.label,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "revoked_at": found.revoked_at,
    }
