"""A telephone that is a hospital's from now on, or none any more: whose record names it is compared anew, for it says who nobody is.

Not here: what such a number weighs (actions/match_records).
"""

from app.api.services import Services
from app.domain.comparison import RarityKind
from app.domain.features import phone_of
from app.domain.scoring import shared_key
from app.domain.viewer import OPERATOR
from app.store import matches
from app.store.engine import raw_connection


async def compare_again(services: Services, *numbers: str | None) -> None:
    """Ask for whoever has one of these. As the operator, who alone sees records, and after what made it so was committed."""
    keys = {shared_key(RarityKind.PHONE, number) for one in numbers if (number := phone_of(one))}
    if keys:
        async with services.unit_of_work(OPERATOR) as connection:
            await matches.ask_sharers(await raw_connection(connection), keys)
