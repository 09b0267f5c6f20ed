"""`python -m tests.load.scale` measures everything at every size; with a handful of people, so the figures mean nothing here."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.load.scale import run


@pytest.mark.timeout(240)
async def test_every_size_has_the_same_figures() -> None:
    with TemporaryDirectory(prefix="hs-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        found = await run([1_500], 40, 0.01, Path(folder))
    assert [one.people for one in found] == [1_500, 1_500]
    assert found[-1].messages > found[-2].messages + 1_000
    assert all(one.figures.keys() == found[0].figures.keys() and one.plans.keys() == found[0].plans.keys() for one in found)
    assert {"message end to end", "record found by its name", "newcomer identified and stored"} <= found[0].figures.keys()
