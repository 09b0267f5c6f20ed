"""The README of the adapter: every column of a claim file, by every name, is in its table."""

import re
from pathlib import Path

from adapters.files.provider_csv import ProviderRow, read_providers
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


def test_every_column_of_a_registry_of_providers_is_in_its_table() -> None:
    section = README.split("\n## Providers\n", 1)[1].split("\n## ", 1)[0]
    own, of_nppes = zip(*(line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ") and "`" in line), strict=True)
    for header in (own, of_nppes):
        names = [name for cell in header for name in re.findall(r"`([^`]+)`", cell)]
        cells = {"npi": "1234567893", "taxonomy": "103TC0700X", "from": "2026-01-01", "to": "2026-05-01"}
        first = ",".join(names)
        kinds = {
            "date": cells["to"],
            "effective_from": cells["from"],
            "effective_to": cells["to"],
            "entity": "2",
            "taxonomy": cells["taxonomy"],
        }
        row = ",".join(next((value for word, value in kinds.items() if word in name.lower()), cells["npi"]) for name in names)
        read = list(read_providers([first, row]))
        assert all(isinstance(one, ProviderRow) and one.taxonomy and one.entity == "2" for one in read), read
