"""The weights, names and words of the scored comparison load, and each kind of mistake is refused with file and key."""

from pathlib import Path

import pytest

from app.domain.comparison_weights import OUTCOMES
from app.standards.matching_rules import load_vocabulary, load_weights, vocabulary, weights
from app.standards.toml_table import StandardsError, shipped

FOLDER = Path(str(shipped("matching")))
WEIGHTS, NAMES, WORDS = FOLDER / "weights_2026.toml", FOLDER / "names.toml", FOLDER / "words.toml"


def test_the_shipped_weights_say_what_each_outcome_is_worth() -> None:
    found = weights()
    assert found.version
    assert found.possible < found.certain
    for of, outcomes in OUTCOMES.items():
        grounds = found.of[of]
        assert grounds.exact.weight > 0 > grounds.different.weight, of
        assert grounds.missing.weight == grounds.shared.weight == 0
        assert all(getattr(grounds, outcome.value).text for outcome in outcomes)


def test_common_names_say_less_than_rare_ones() -> None:
    found = weights()
    assert found.of_last_name("SMITH") < found.of_last_name("RIVERA") < found.of_last_name("TARNBROOK")
    assert found.of_first_name("JAMES") < found.of_first_name("ZELEVIN")


@pytest.mark.parametrize(
    ("short", "formal"),
    [("BILL", "WILLIAM"), ("PEGGY", "MARGARET"), ("PEPE", "JOSE"), ("PACO", "FRANCISCO"), ("LUPE", "GUADALUPE"), ("CHUY", "JESUS")],
)
def test_english_and_spanish_nicknames(short: str, formal: str) -> None:
    assert formal in vocabulary().nicknames[short]
    assert formal in vocabulary().nicknames[formal]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("[fields.ssn4]\nexact = { m = 0.99, u = 0.0001 }\n", "[fields.ssn4]\n", "exact must be given"),
        ("u = 0.0001 }", "u = 0.0 }", "must lie between 0 and 1"),
        ("m = 0.004, u = 0.995", "m = 0.4, u = 0.995", "add up to more than 1"),
        ("certain = 29.0", "certain = 3.0", "possible must be below certain"),
        ("certain = 29.0", 'certain = "much"', "certain must be a number"),
        ("[fields.suffix]", "[fields.sufix]", "must be given"),
        ("effective_on = 2026-11-29\n", "", "effective_on must be given"),
        ('version = "2026.1"', 'version = "2026.1"\nverison = "x"', "verison is not a key"),
    ],
)
def test_a_mistake_in_the_weights_is_refused(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    text = WEIGHTS.read_text("utf-8")
    assert before in text
    file = tmp_path / "weights.toml"
    file.write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(StandardsError, match=complaint):
        load_weights(file, NAMES)


def test_different_may_not_speak_for_a_match(tmp_path: Path) -> None:
    file = tmp_path / "weights.toml"
    file.write_text(WEIGHTS.read_text("utf-8").replace("m = 0.2, u = 0.985", "m = 0.2, u = 0.1"), "utf-8")
    with pytest.raises(StandardsError, match="address: different must not speak"):
        load_weights(file, NAMES)


def test_names_are_written_as_they_are_compared(tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text(NAMES.read_text("utf-8").replace("SMITH =", "Smith ="), "utf-8")
    with pytest.raises(StandardsError, match="Smith must be written"):
        load_weights(WEIGHTS, names)
    words = tmp_path / "words.toml"
    words.write_text(WORDS.read_text("utf-8").replace('"PEPE"', '"Pepé"'), "utf-8")
    with pytest.raises(StandardsError, match="Pepé must be written"):
        load_vocabulary(words)
