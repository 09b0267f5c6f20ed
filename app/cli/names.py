"""What an operator types to name a thing: ids as the API shows them, organizations also by name. Not here: the things."""

from typing import Final
from uuid import UUID

from app.cli.exits import refused, usage
from app.domain.organization import Organization
from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import OPERATOR
from app.store.connection import Connection
from app.store.organizations import find_organization, list_organizations

PAGE: Final = 1000


def read_id(kind: Kind, text: str) -> UUID:
    """Read an id of a kind."""
    found = read_public_id(kind, text)
    if found is None:
        raise usage(f"{text!r} is not an id of this kind.", f"It begins with {kind.value}_ and has 32 hexadecimal digits.")
    return found


async def all_organizations(connection: Connection) -> list[Organization]:
    """Give every organization, oldest first."""
    found: list[Organization] = []
    after: UUID | None = None
    while True:
        page = await list_organizations(connection, OPERATOR, after=after, limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found
        after = page[-1].id


async def named_organization(connection: Connection, text: str) -> Organization:
    """Find the organization that is meant, by its id or by its name in any case."""
    id_ = read_public_id(Kind.ORGANIZATION, text)
    if id_ is not None:
        organization = await find_organization(connection, OPERATOR, id_)
        if organization is not None:
            return organization
        raise refused(f"There is no organization {text}.", "`handoff org list` shows them all.")
    wanted = text.strip().casefold()
    found = [one for one in await all_organizations(connection) if one.name.casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise refused(f"{len(found)} organizations are called {text!r}.", "Name it by its id; `handoff org list` shows them.")
    raise refused(f"No organization is called {text!r}.", "`handoff org list` shows them all.")
