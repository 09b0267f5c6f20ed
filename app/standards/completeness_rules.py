"""The feed-quality profile as data: which fields a sender should fill (standards rule DIR-1). Not here: what a lack of them means."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable

from app.domain.completeness import Check, ExpectedField, Moment
from app.standards.toml_table import TomlTable, no_repetition, read_toml, shipped

_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})-([0-9]{1,3})(?:\.([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class CompletenessProfile:
    """A named list of fields, with the text it is taken from."""

    name: str
    source: str
    fields: tuple[ExpectedField, ...]


@cache
def directtrust() -> CompletenessProfile:
    """Give the shipped profile."""
    return load_profile(shipped("completeness", "directtrust.toml"))


def load_profile(file: Traversable) -> CompletenessProfile:
    """Read a profile."""
    table = read_toml(file)
    source = table.text("source")
    table.text("licence")
    name = table.text("name")
    fields = tuple(_field(one) for one in table.tables("fields"))
    table.finish()
    no_repetition(table.place, "place", [field.place for field in fields])
    return CompletenessProfile(name, source, fields)


def _field(table: TomlTable) -> ExpectedField:
    place = table.text("place")
    found = _PLACE.fullmatch(place)
    if found is None:
        table.fail("place", "must be a field such as PV1-36, or a component such as PID-5.1")
    check = table.code("check", Check, Check.VALUED)
    text = table.text("text", "")
    if (check is Check.EQUAL) != bool(text):
        table.fail("text", "belongs to the check `equal`, and only to it")
    components = table.integers("components") or (int(found[3] or 1),)
    field = ExpectedField(
        place, table.text("meaning"), found[1], int(found[2]), components, table.code("moment", Moment, Moment.ALWAYS), check, text
    )
    table.finish()
    return field
