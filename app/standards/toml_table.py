"""Reading a data file strictly: every value has the type its reader asks for, every key is used, every error names file and key.

Not here: what the values mean.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import inf
from typing import Final, NoReturn, TypeVar

Code = TypeVar("Code", bound=StrEnum)
INTEGER_MAX: Final = 1_000_000


class StandardsError(ValueError):
    """A data file is wrong. The message names the file and the key, and says what would be right."""


class TomlTable:
    """One table of a TOML file. ``finish`` complains about keys nobody asked for, so a misspelt key cannot be silently ignored."""

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self.place = place
        self._values = values
        self._used: set[str] = set()

    @property
    def file(self) -> str:
        """The name of the file, of a table that is a whole one."""
        return self.place.rpartition("/")[2]

    def fail(self, key: str, expected: str) -> NoReturn:
        """Refuse a key."""
        message = f"{self.place}: {key} {expected}"
        raise StandardsError(message)

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        return key in self._values

    def _value(self, key: str) -> object | None:
        self._used.add(key)
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text that is not empty."""
        found = self._value(key)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not found.strip():
            self.fail(key, "must be a text that is not empty")
        return found

    def integer(self, key: str, default: int | None = None) -> int:
        """Read a whole number that is not negative, and so small that as many days from any date are a date."""
        found = self._value(key)
        if found is None and default is not None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            self.fail(key, "must be a whole number that is not negative")
        if found > INTEGER_MAX:
            self.fail(key, f"must be {INTEGER_MAX:,} at most")
        return found

    def number(self, key: str) -> float:
        """Read a number that is not negative, whole or not."""
        found = self._value(key)
        if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found < inf:
            self.fail(key, "must be a number that is not negative")
        return float(found)

    def boolean(self, key: str, *, default: bool = False) -> bool:
        """Read true or false."""
        found = self._value(key)
        if found is None:
            return default
        if not isinstance(found, bool):
            self.fail(key, "must be true or false")
        return found

    def day(self, key: str) -> date | None:
        """Read a date, if there is one."""
        found = self._value(key)
        if found is None:
            return None
        if not isinstance(found, date) or isinstance(found, datetime):
            self.fail(key, "must be a date without quotes, such as 2025-01-01")
        return found

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Read a list of distinct texts."""
        found = self._list(key)
        texts = tuple(one for one in found if isinstance(one, str) and one)
        if len(texts) != len(found) or len(set(texts)) != len(texts):
            self.fail(key, "must be a list of distinct texts")
        if required and not texts:
            self.fail(key, "must not be empty")
        return texts

    def integers(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers."""
        found = self._list(key)
        numbers = tuple(one for one in found if isinstance(one, int) and not isinstance(one, bool))
        if len(numbers) != len(found):
            self.fail(key, "must be a list of whole numbers")
        return numbers

    def code(self, key: str, codes: type[Code], default: Code | None = None) -> Code:
        """Read one code of a vocabulary."""
        if default is not None and not self.has(key):
            return default
        return self._member(key, self.text(key), codes)

    def codes(self, key: str, codes: type[Code], *, required: bool = False) -> frozenset[Code]:
        """Read a list of codes of a vocabulary."""
        return frozenset(self._member(key, one, codes) for one in self.texts(key, required=required))

    def table(self, key: str) -> "TomlTable":
        """Read a table inside this one; an absent one is empty."""
        found = self._value(key)
        if found is None:
            found = {}
        if not isinstance(found, dict):
            self.fail(key, "must be a table")
        return TomlTable(f"{self.place}: {key}", found)

    def tables(self, key: str) -> "tuple[TomlTable, ...]":
        """Read a list of tables."""
        tables = [one for one in self._list(key) if isinstance(one, dict)]
        if len(tables) != len(self._list(key)):
            self.fail(key, "must be a list of tables")
        return tuple(TomlTable(f"{self.place}: {key}[{index}]", one) for index, one in enumerate(tables))

    def keys(self) -> tuple[str, ...]:
        """Give all keys, for tables whose keys are data; they count as used once read."""
        return tuple(self._values)

    def finish(self) -> None:
        """Complain about keys that nobody asked for."""
        unknown = sorted(set(self._values) - self._used)
        if unknown:
            self.fail(", ".join(unknown), "is not a key of this table")

    def _list(self, key: str) -> list[object]:
        found = self._value(key)
        if found is None:
            return []
        if not isinstance(found, list):
            self.fail(key, "must be a list")
        return found

    def _member(self, key: str, text: str, codes: type[Code]) -> Code:
        try:
            return codes(text)
        except ValueError:
            self.fail(key, f"has a code that is not one of: {', '.join(codes)}")


def shipped(*names: str) -> Traversable:
    """Give a file or folder beside the loaders."""
    return files("app.standards").joinpath(*names)


def read_toml(file: Traversable, folder: str = "") -> TomlTable:
    """Read one file; `folder` goes before its name in every complaint. A byte order mark, as Windows writes one, does no harm."""
    place = f"{folder}/{file.name}" if folder else file.name
    try:
        return TomlTable(place, tomllib.loads(file.read_text("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        message = f"{place}: is not TOML in UTF-8: {wrong}"
        raise StandardsError(message) from wrong
    except OSError as wrong:
        message = f"{place}: cannot be read ({wrong.strerror}); it must be a file that this account may read"
        raise StandardsError(message) from wrong


def read_folder(folder: Traversable) -> tuple[TomlTable, ...]:
    """Read every TOML file of a folder, in the order of their names. One by another name would be passed over, so there may be none."""
    try:
        there = sorted((one for one in folder.iterdir() if not one.name.startswith((".", "__"))), key=lambda one: one.name)
    except OSError as wrong:
        message = f"{folder.name}: cannot be read ({wrong.strerror}); it must be a folder that this account may read"
        raise StandardsError(message) from wrong
    found = [one for one in there if one.name.endswith(".toml")]
    if odd := [one.name for one in there if one not in found]:
        message = f"{folder.name}: {', '.join(odd)} would not be read: name it .toml, or keep it elsewhere"
        raise StandardsError(message)
    if not found:
        message = f"{folder.name}: has no .toml file; a set of definitions cannot be empty"
        raise StandardsError(message)
    return tuple(read_toml(one, folder.name) for one in found)


Built = TypeVar("Built")


def build(place: str | TomlTable, make: Callable[[], Built]) -> Built:
    """Build a noun of the domain; what its own checks refuse becomes an error that names the file. Of a table, first a misspelt key."""
    try:
        return make()
    except ValueError as wrong:
        if isinstance(wrong, StandardsError):
            raise
        if isinstance(place, TomlTable):
            place.finish()
        message = f"{place.place if isinstance(place, TomlTable) else place}: {wrong}"
        raise StandardsError(message) from wrong


def no_repetition(place: str, what: str, names: Iterable[str]) -> None:
    """Refuse a name that is defined twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"{place}: {what} {name} is defined twice"
            raise StandardsError(message)
        seen.add(name)
