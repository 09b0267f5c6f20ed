"""Small code tables as data: what discharge codes and hospital-service words mean. Not here: what follows from it."""

from collections.abc import Mapping
from functools import cache
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TypeVar

from app.domain.behavioral import BehavioralKind
from app.domain.stay import Disposition, DispositionTable
from app.standards.toml_table import no_repetition, read_toml, shipped

Meaning = TypeVar("Meaning", Disposition, BehavioralKind)


@cache
def dispositions() -> DispositionTable:
    """Give what the shipped discharge codes mean."""
    return DispositionTable(load_table(shipped("codes", "dispositions.toml"), "meanings", Disposition))


@cache
def hospital_services() -> Mapping[str, BehavioralKind]:
    """Give what the shipped hospital-service words mean."""
    return load_table(shipped("codes", "hospital_services.toml"), "services", BehavioralKind)


def load_table(file: Traversable, key: str, meanings: type[Meaning]) -> Mapping[str, Meaning]:
    """Read a table of meaning -> codes and turn it round."""
    table = read_toml(file)
    table.text("source")
    table.text("licence")
    lists = table.table(key)
    pairs = [(code.upper(), meaning) for meaning in meanings if lists.has(meaning) for code in lists.texts(meaning)]
    lists.finish()
    table.finish()
    no_repetition(table.place, "code", [code for code, _ in pairs])
    return MappingProxyType(dict(pairs))
