"""The README is tested: its snippet verifies what we send, and its tables say what the code does."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.signing import sign
from app.domain.delivery import RETRY_DELAYS_S, AttemptOutcome, outcome_of_status
from app.domain.subscription import spell_secret

ROOT = Path(__file__).parents[3]
README = (ROOT / "adapters/webhook/README.md").read_text(encoding="utf-8")
SECRET = spell_secret(b"r" * 32)


def snippet() -> Callable[[dict[str, str], bytes, str], bool]:
    """Run the README's Python as a receiver would have it."""
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict[str, Callable[[dict[str, str], bytes, str], bool]] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 -- our own documentation
    return names["is_genuine"]


def test_the_snippet_accepts_what_we_send_and_nothing_else() -> None:
    is_genuine, now = snippet(), datetime.now(tz=UTC)
    headers = sign("ntf_1", now, b'{"a": "\xc3\xa9"}', [spell_secret(b"n" * 32), SECRET])
    assert is_genuine(headers, b'{"a": "\xc3\xa9"}', SECRET)
    assert not is_genuine(headers, b'{"a": "e"}', SECRET)
    assert not is_genuine(headers, b'{"a": "\xc3\xa9"}', spell_secret(b"x" * 32))
    assert not is_genuine({**headers, "webhook-id": "ntf_2"}, b'{"a": "\xc3\xa9"}', SECRET)
    assert not is_genuine({**headers, "webhook-timestamp": "soon"}, b"{}", SECRET)
    assert not is_genuine({**headers, "webhook-signature": "garbage"}, b"{}", SECRET)
    assert not is_genuine(sign("ntf_1", now - timedelta(minutes=6), b"{}", [SECRET]), b"{}", SECRET)


UNITS = {"s": 1, "m": 60, "h": 3600}


def test_the_schedule_is_the_codes() -> None:
    (listed,) = re.findall(r"Schedule, each ± 20 %: (.*?)\. ", README, flags=re.DOTALL)
    assert tuple(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) ([smh])", listed)) == RETRY_DELAYS_S


@pytest.mark.parametrize(
    ("row", "statuses"),
    [
        ("2xx", range(200, 300)),
        ("410", [410]),
        ("429, 502, 504", [429, 502, 504]),
        ("3xx, 408, 425, other 5xx", [301, 308, 408, 425, 500, 501, 503, 505, 599]),
        ("other 4xx", [400, 401, 403, 404, 405, 406, 407, 409, 411, 412, 413, 422, 428, 431, 451, 499]),
    ],
)
def test_the_table_of_answers_is_the_codes(row: str, statuses: list[int]) -> None:
    (outcome,) = re.findall(rf"^\| {re.escape(row)} \| `(\w+)` \|", README, flags=re.MULTILINE)
    assert {outcome_of_status(status) for status in statuses} == {AttemptOutcome(outcome)}


@pytest.mark.parametrize("entry", re.findall(r"^\| `(https?://\S+)` \|", README, flags=re.MULTILINE))
def test_the_entries_of_the_allow_list_can_be_read(entry: str) -> None:
    allowance = Allowance.parse(entry)
    host = str(allowance.network[1]) if allowance.network else allowance.host
    host = f"[{host}]" if ":" in str(host) else host
    url = f"{allowance.scheme}://{host}:{allowance.port or 8443}/"
    assert Guard([allowance]).objection(url) is None
    assert Guard().objection(url) is not None


def test_the_files_it_names_exist() -> None:
    named = re.findall(r"`((?:app|adapters|tests)/[\w/.-]+)`", README)
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []
