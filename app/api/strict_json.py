"""JSON read strictly: what other parsers would read differently, or choke on, is refused by name.

Refused: NaN and Infinity and numbers that overflow to them, duplicate keys, nesting deeper than 64, more than 200,000 values,
lone surrogates and NUL in texts (PostgreSQL stores neither), and anything that is not UTF-8 (RFC 8259; I-JSON, RFC 7493).
Not here: what the values mean.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

DEPTH_MAX: Final = 64
VALUES_MAX: Final = 200_000
_INTEGER_DIGITS_MAX: Final = 100
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class StrictJsonError(ValueError):
    """The text is not JSON that we take. The message names the rule and never repeats the text."""


def read_strict_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read the one JSON value of a body.

    Counting brackets and commas in the bytes bounds depth and size from above in microseconds; only a body that could pass
    the limit is walked.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        msg = "the body is not UTF-8"
        raise StrictJsonError(msg) from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer)
    except json.JSONDecodeError as error:
        msg = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise StrictJsonError(msg) from None
    except RecursionError:
        raise StrictJsonError(_TOO_DEEP) from None
    openings = body.count(b"[") + body.count(b"{")
    if openings > DEPTH_MAX or openings + body.count(b",") + body.count(b":") >= VALUES_MAX or b"\\u" in body:
        _walk(value)
    return value


_TOO_DEEP: Final = f"values are nested deeper than {DEPTH_MAX}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "an object has the same key twice"
        raise StrictJsonError(msg)
    return members


def _constant(_: str) -> NoReturn:
    msg = "NaN and Infinity are not JSON"
    raise StrictJsonError(msg)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        msg = "a number is too large"
        raise StrictJsonError(msg)
    return number


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS_MAX:
        msg = "a number has too many digits"
        raise StrictJsonError(msg)
    return int(text)


def _walk(root: Any) -> None:  # noqa: ANN401 - any JSON value
    """Count values and depth, and look at every text, without recursion."""
    level: list[Any] = [root]
    values = depth = 0
    while level:
        depth += 1
        values += len(level)
        if values > VALUES_MAX:
            msg = f"there are more than {VALUES_MAX} values"
            raise StrictJsonError(msg)
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict | list):
                if depth > DEPTH_MAX:
                    raise StrictJsonError(_TOO_DEEP)
                if isinstance(value, dict):
                    for key in value:
                        _check_text(key)
                    below.extend(value.values())
                else:
                    below.extend(value)
        level = below


def _check_text(text: str) -> None:
    if _UNSTORABLE.search(text):
        msg = "a text has a NUL or half of a surrogate pair"
        raise StrictJsonError(msg)
