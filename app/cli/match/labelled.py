"""Records with a label that says whose they are: drawn, or read from a file. Not here: what is measured on them."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.cli.demo.dice import Dice
from app.cli.exits import refused
from app.cli.match.population import Population
from app.cli.match.records import SourceRecord, Sources
from app.domain.adt_event import Identifier
from app.domain.comparison import RarityKind
from app.domain.comparison_weights import Weights
from app.domain.features import Features, Vocabulary, features

LABEL: Final = "person"
COLUMNS: Final = (
    "first_name",
    "middle_name",
    "last_name",
    "suffix",
    "birth_date",
    "sex",
    "address",
    "city",
    "zip",
    "phone",
    "ssn4",
    "medicaid_id",
    "mrn",
    "mrn_system",
)


def drawn(people: int, seed: int, errors: float, weights: Weights, vocabulary: Vocabulary) -> Iterator[SourceRecord]:
    """Draw the records of synthetic people."""
    population = Population(people, weights, Dice(f"people/{seed}"))
    return Sources(population, Dice(f"records/{seed}"), vocabulary.nicknames, errors=errors).records()


def read(file: Path) -> Iterator[SourceRecord]:
    """Read a CSV with the columns of a roster and, where it is known, `person`."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if "last_name" not in (rows.fieldnames or ()):
            raise refused(f"{file} has no column last_name.", f"Its columns are named as in a roster: {', '.join(COLUMNS)}; and {LABEL}.")
        labels: dict[str, int] = {}
        for number, row in enumerate(rows):
            identifiers = [Identifier((row.get("mrn_system") or "").upper(), "MR", row["mrn"])] if row.get("mrn") else []
            identifiers += [Identifier("", "MA", row["medicaid_id"])] if row.get("medicaid_id") else []
            label = row.get(LABEL)
            person = labels.setdefault(label, len(labels)) if label else -1 - number
            yield SourceRecord(person, {name: value for name, value in row.items() if value}, tuple(identifiers))


def write(file: Path, records: Iterable[SourceRecord]) -> int:
    """Write records as such a CSV; give how many."""
    count = 0
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, (LABEL, *COLUMNS), extrasaction="ignore")
        writer.writeheader()
        for record in records:
            own = {"mrn": record.identifiers[0].value, "mrn_system": record.identifiers[0].authority} if record.identifiers else {}
            writer.writerow({LABEL: record.person, **own, **record.facts})
            count += 1
    return count


@dataclass(slots=True)
class Labelled:
    """Records ready to be compared; two with one label are one person."""

    people: list[int]
    features: list[Features]
    with_errors: int = 0

    @classmethod
    def of(cls, records: Iterable[SourceRecord], vocabulary: Vocabulary) -> "Labelled":
        """Make them ready."""
        found = cls([], [])
        for record in records:
            found.people.append(record.person)
            found.features.append(features(record.facts, record.identifiers, vocabulary))
            found.with_errors += record.has_error
        return found

    def true_pairs(self) -> Iterator[tuple[int, int]]:
        """Give the pairs of records that are one person."""
        of_person: dict[int, list[int]] = defaultdict(list)
        for number, person in enumerate(self.people):
            of_person[person].append(number)
        for records in of_person.values():
            for position, left in enumerate(records):
                for right in records[position + 1 :]:
                    yield left, right


class Counted:
    """How many people have a phone or an address, as far as one can tell without knowing who is who: by name and birth date."""

    def __init__(self, records: Iterable[Features]) -> None:
        seen: dict[str, set[int]] = defaultdict(set)
        for record in records:
            who = hash((record.first, record.last, record.birth_digits))
            for value in (*record.phones, *((record.address_key,) if record.address_key else ())):
                seen[value].add(who)
        self._holders = {value: len(who) for value, who in seen.items() if len(who) > 1}

    def holders(self, kind: RarityKind, value: str) -> int:  # noqa: ARG002 -- a phone is never an address
        """Count them."""
        return self._holders.get(value, 1)
