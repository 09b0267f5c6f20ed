"""The weights, common names and words of the scored comparison as data (`matching/`). Not here: how two records are compared."""

from collections import defaultdict
from functools import cache, partial
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

from app.domain.comparison_weights import OUTCOMES, Field, Odds, Outcome, Weights
from app.domain.features import Vocabulary
from app.domain.person import normalised
from app.standards.toml_table import StandardsError, TomlTable, build, read_toml, shipped

PEOPLE: Final = 100_000
"""The shares of names are given of so many people."""


@cache
def weights() -> Weights:
    """Give the shipped weights that are in force: the latest version."""
    found = sorted(one.name for one in shipped("matching").iterdir() if one.name.startswith("weights_") and one.name.endswith(".toml"))
    if not found:
        raise StandardsError("matching: has no weights_YEAR.toml")
    return load_weights(shipped("matching", found[-1]), shipped("matching", "names.toml"))


@cache
def vocabulary() -> Vocabulary:
    """Give the shipped nicknames and address words."""
    return load_vocabulary(shipped("matching", "words.toml"))


def load_weights(file: Traversable, names_file: Traversable) -> Weights:
    """Read one version of the weights, with the names that are common."""
    table, names = read_toml(file), read_toml(names_file)
    table.text("licence")
    names.text("source")
    names.text("licence")
    effective_on = table.day("effective_on") or table.fail("effective_on", "must be given")
    fields = table.table("fields")
    odds = {of: _odds(fields.table(of), of) for of in OUTCOMES}
    fields.finish()
    read = build(
        table.place,
        lambda: Weights(
            version=table.text("version"),
            source=table.text("source"),
            effective_on=effective_on,
            certain=table.number("certain"),
            possible=table.number("possible"),
            odds=MappingProxyType(odds),
            last_names=_shares(names.table("last_names")),
            first_names=_shares(names.table("first_names")),
            rare_last_share=names.number("rare_last_name") / PEOPLE,
            rare_first_share=names.number("rare_first_name") / PEOPLE,
        ),
    )
    table.finish()
    names.finish()
    return read


def _odds(table: TomlTable, of: Field) -> MappingProxyType[Outcome, Odds]:
    read = {}
    for outcome in OUTCOMES[of]:
        if not table.has(outcome):
            table.fail(outcome, "must be given, with its m and u")
        one = table.table(outcome)
        m, u = one.number("m"), one.number("u")
        read[outcome] = build(one.place, partial(Odds, m, u))
        one.finish()
    table.finish()
    return MappingProxyType(read)


def _shares(table: TomlTable) -> MappingProxyType[str, float]:
    listed = table.keys()
    shares = {name: table.number(name) / PEOPLE for name in listed}
    for name in listed:
        if name != normalised(name):
            table.fail(name, "must be written as names are compared: capitals, no accents, no spaces")
    return MappingProxyType(shares)


def load_vocabulary(file: Traversable) -> Vocabulary:
    """Read the nicknames, turned round: what somebody is called -> what that may stand for."""
    table = read_toml(file)
    table.text("source")
    table.text("licence")
    nicknames = table.table("nicknames")
    forms: dict[str, set[str]] = defaultdict(set)
    formal_names = nicknames.keys()
    for formal in formal_names:
        forms[formal].add(formal)
        for short in nicknames.texts(formal, required=True):
            forms[short].add(formal)
    for name in forms:
        if name != normalised(name):
            nicknames.fail(name, "must be written as names are compared: capitals, no accents, no spaces")
    words = table.table("address_words")
    long_words = words.keys()
    shortened = {word: words.text(word) for word in long_words}
    table.finish()
    return Vocabulary(MappingProxyType({name: frozenset(formal) for name, formal in forms.items()}), MappingProxyType(shortened))
