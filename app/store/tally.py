"""What stands now, counted over the whole network: for the demo's table. Not for a network of millions: it counts."""

from collections import Counter

from app.store.raw import Raw


async def decisions(raw: Raw) -> Counter[str]:
    """Count the decisions that stand: told in full, told less, withheld and why."""
    rows = await raw.fetch("select decision, count(*) as tellings from telling group by decision")
    return Counter({row["decision"]: row["tellings"] for row in rows})
