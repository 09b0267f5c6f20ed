"""`make bench` measures everything it says; with a handful of messages, so the figures mean nothing here."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.load.bench import Sizes, run
from tests.load.hostile import KINDS
from tests.load.ledgers import RATES

FEW = Sizes(
    backlog=900,
    alone=6,
    sixteen=32,
    sixty_four=64,
    file=30,
    fhir=34,
    steady_s=1,
    webhooks=4,
    adversaries_s=0.5,
    stretch=8,
    stretches=1,
    steady_per_s=30,
    roster=500,
    discharges=400,
    decision=64,
)


@pytest.mark.timeout(240)
async def test_every_target_has_its_figure() -> None:
    with TemporaryDirectory(prefix="hb-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        figures = await run(FEW, 1, Path(folder))
    targets = {name.split()[0] for name in figures if name.startswith("P") and name[1:2].isdigit()}
    assert targets >= {"P1", "P2", "P3", "P3b", "P4", "P5", "P7", "P10"}
    assert {f"acknowledged at {connections} connections" for connections in (1, 16, 64)} <= figures.keys()
    assert {f"FHIR messages answered at {connections} connections" for connections in (1, 16)} <= figures.keys()
    assert {f"acknowledged p99 beside {kind}" for kind in KINDS} <= figures.keys()
    assert {f"throughput beside {kind}, of that without" for kind in KINDS} <= figures.keys()
    assert {f"rates of {reader}, {name}" for reader in ("the exchange", "a plan") for name in RATES} <= figures.keys()
    assert figures["timers, follow-ups, 100 of 400 due"] < 30, "pages of an index, and not the worklist"
    assert "the decision, of what a message costs" in figures
    assert figures["raw group commit of the same rows"] > 0
