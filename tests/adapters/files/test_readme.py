"""The README of the adapter: every column of a claim file, by every name, is in its table."""

import re
from pathlib import Path

from app.domain.claim_row import _TYPES, ALIASES, COLUMNS

README = (Path(__file__).parents[3] / "adapters" / "files" / "README.md").read_text(encoding="utf-8")
_, CLAIMS = README.split("\n## Claims\n", 1)
CLAIMS = CLAIMS.split("\n## ", 1)[0]


def test_every_column_of_a_claim_file_is_in_the_table_by_every_name_and_no_other() -> None:
    rows = [line.split("|")[1:3] for line in CLAIMS.splitlines() if line.startswith("| `")]
    columns = {name for own, _ in rows for name in re.findall(r"`(\w+)`", own)}
    assert columns == {name for name in COLUMNS if not re.fullmatch(r"diagnosis_([2-9]|1[01])", name)}
    assert {name for _, others in rows for name in re.findall(r"`(\w+)`", others)} == set(ALIASES)


def test_every_word_for_what_a_row_does_to_its_claim_is_there() -> None:
    (row,) = [line for line in CLAIMS.splitlines() if line.startswith("| `claim_type`")]
    assert {word for word in _TYPES if f"`{word}`" not in row} == set()
