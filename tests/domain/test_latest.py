"""Facts that several messages state: any order, grouping and repetition gives the same facts (DESIGN section 2.4, ADT-4)."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from app.domain.latest import Said, key_of, known, learn, merged

FIELDS = ("unit", "room", "class", "disposition")
KEYS = tuple(f"{number:04d}" for number in range(8))
values = st.one_of(st.none(), st.sampled_from(["a", "b"]))
statements = st.dictionaries(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(FIELDS), values, max_size=4), max_size=8)
"""What each message says, by its sort key: one key is one message. None is an erasure."""


def learned(messages: list[tuple[str, dict[str, str | None]]]) -> Said:
    return reduce(lambda said, message: learn(said, *message), messages, {})


def plainly(messages: dict[str, dict[str, str | None]]) -> dict[str, tuple[str, str | None]]:
    """The oracle: walk the messages in the order of their keys; field -> (key, value)."""
    latest: dict[str, tuple[str, str | None]] = {}
    for key, fields in sorted(messages.items()):
        latest.update({name: (key, value) for name, value in fields.items()})
    return latest


@given(statements, st.data())
def test_any_order_and_repetition_gives_what_the_last_message_said(messages: dict[str, dict[str, str | None]], data: st.DataObject) -> None:
    sent = sorted(messages.items())
    again = data.draw(st.lists(st.sampled_from(sent), max_size=4)) if sent else []
    arrivals = data.draw(st.permutations([*sent, *again]))
    said = learned(arrivals)
    latest = plainly(messages)
    assert known(said) == {name: value for name, (_, value) in latest.items() if value is not None}
    assert {name: key_of(said, name) for name in FIELDS} == {name: latest.get(name, ("", None))[0] for name in FIELDS}


@given(statements, statements, statements)
def test_joining_is_commutative_associative_and_idempotent(
    one: dict[str, dict[str, str | None]], two: dict[str, dict[str, str | None]], three: dict[str, dict[str, str | None]]
) -> None:
    # A key is one message: where two records hold it, they hold parts of what it says.
    whole = {key: {**one.get(key, {}), **two.get(key, {}), **three.get(key, {})} for key in {*one, *two, *three}}
    a, b, c = (learned([(key, {name: whole[key][name] for name in fields}) for key, fields in part.items()]) for part in (one, two, three))
    assert as_facts(merged(a, b)) == as_facts(merged(b, a))
    assert as_facts(merged(merged(a, b), c)) == as_facts(merged(a, merged(b, c)))
    assert as_facts(merged(a, a)) == as_facts(a)


def as_facts(said: Said) -> set[tuple[str, str, str | None]]:
    return {(name, key, value) for key, fields in said.items() for name, value in fields.items()}


def test_an_erased_value_stays_erased_when_an_older_message_comes_late() -> None:
    said = learn(learn({}, "2", {"unit": None}), "1", {"unit": "PSY"})
    assert known(said) == {}
    assert known(learn(said, "3", {"unit": "MED"})) == {"unit": "MED"}


def test_a_message_without_the_field_says_nothing_of_it() -> None:
    assert known(learn(learn({}, "1", {"unit": "PSY"}), "2", {"room": "7"})) == {"unit": "PSY", "room": "7"}


def test_learning_leaves_what_it_was_given_untouched() -> None:
    before = {"1": {"unit": "PSY", "room": "7"}}
    learn(before, "2", {"unit": "MED"})
    assert before == {"1": {"unit": "PSY", "room": "7"}}


def test_no_group_is_kept_that_has_no_last_word() -> None:
    assert learn({"1": {"unit": "PSY"}}, "2", {"unit": "MED"}) == {"2": {"unit": "MED"}}
