"""The order of precedence of attributions as data (domain section 3.4). Not here: what is decided by it (`app.domain.precedence`)."""

from functools import cache
from importlib.resources.abc import Traversable

from app.domain.attribution import Role
from app.domain.precedence import Ground, Precedence
from app.standards.toml_table import TomlTable, build, no_repetition, read_toml, shipped


@cache
def precedence() -> Precedence:
    """Give the shipped order."""
    return load_precedence(shipped("attribution", "precedence.toml"))


def load_precedence(file: Traversable) -> Precedence:
    """Read an order: its grounds from the strongest to the weakest, and where messages name practitioners."""
    table = read_toml(file)
    table.text("source")
    table.text("licence")
    grounds = tuple(_ground(one) for one in table.tables("ground"))
    named = dict(_named(one) for one in table.tables("named"))
    no_repetition(table.place, "basis", [ground.basis for ground in grounds])
    no_repetition(table.place, "word", [word for ground in grounds for word in (ground.basis, *ground.words)])
    no_repetition(table.place, "role", [role for ground in grounds for role in ground.roles])
    no_repetition(table.place, "place", [one.text("place") for one in table.tables("named")])
    found = build(
        table.place,
        lambda: Precedence(version=table.text("version"), grounds=grounds, named=named, catch_up_days=table.integer("catch_up_days")),
    )
    table.finish()
    return found


def _ground(table: TomlTable) -> Ground:
    found = Ground(table.text("basis"), table.text("title"), table.texts("words"), table.codes("roles", Role))
    table.finish()
    return found


def _named(table: TomlTable) -> tuple[str, Role]:
    found = table.text("place"), table.code("role", Role)
    table.finish()
    return found
