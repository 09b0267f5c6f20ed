"""A short run of every fuzzer, always the same one, and every finding of before; `make fuzz` is the long run."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import budget, seeds
from tests.fuzz.budget import TooDearError, swollen, within_budget
from tests.fuzz.targets import TARGETS, Target
from tests.support.service import ROOT

RUNS = 1_500
FOUND = [pytest.param(TARGETS[path.parent.name], path, id=f"{path.parent.name}-{path.name}") for path in sorted(seeds.FOUND.glob("*/*"))]


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not here: `make test` adds it, on Linux and x86-64")
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    """R12. Only the messages of this repository to begin with, so that the run is the same wherever it is."""
    environment = os.environ | {"TEST_CORPORA_DIR": str(tmp_path / "none"), "PYTHONPATH": str(ROOT)}
    arguments = ["--runs", str(RUNS), "--seed", "7", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert f"stat::number_of_executed_units: {RUNS}" in done.stderr, done.stderr[-3_000:]
    assert list((tmp_path / "findings").iterdir()) == []


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzers_begin_with_holds(name: str) -> None:
    target = TARGETS[name]
    for data, _ in zip(target.seeds(), range(40), strict=False):
        target(data)


@pytest.mark.parametrize(("target", "path"), FOUND)
def test_what_was_found_once_holds(target: Target, path: Path) -> None:
    data = path.read_bytes()
    target.hold(data)
    for one in (data, target.swell(data)):
        assert min(budget.spent_s(target.spend, one) for _ in range(4)) <= budget.allowed_s(one)


def quadratic(data: bytes) -> None:
    for position in range(0, len(data), 64):
        data[position:].count(b"MSH")


def test_what_is_quadratic_is_dear_once_it_is_swollen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SWOLLEN_ONE_IN", 1)
    monkeypatch.setattr(budget, "_without_instruments_s", lambda data, _: budget.spent_s(quadratic, data))
    small = b"MSH|" * 200
    assert budget.spent_s(quadratic, small) < budget.allowed_s(small)
    with pytest.raises(TooDearError, match="processor time"):
        within_budget(quadratic, swollen, small, "planted")


def test_what_is_dear_by_its_instruments_alone_is_no_finding() -> None:
    # The target of that name is cheap: a process without instruments says so.
    within_budget(lambda _: sum(range(20_000_000)), swollen, b"MSH|^~\\&|ZZ", "framer")
