"""The matching of people, measured on records that do not exist: the same seed, the same figures; estimated weights load again."""

import csv
from importlib.util import find_spec
from pathlib import Path

from app.cli.exits import ExitCode
from app.domain.comparison_weights import Outcome
from app.standards.matching_rules import load_weights
from app.standards.toml_table import shipped
from tests.cli.conftest import Handoff

PEOPLE = 1000


def test_an_evaluation_prints_what_is_certain_and_what_a_person_must_look_at(handoff: Handoff, tmp_path: Path) -> None:
    table = tmp_path / "curve.csv"
    ended = handoff("match", "evaluate", "--people", PEOPLE, "--seed", 7, "--csv", table, "--json")
    assert ended.code == ExitCode.OK, ended.err
    found = ended.json
    assert found["people"] >= PEOPLE
    assert 2 * PEOPLE < found["records"] < 4 * PEOPLE
    assert 0.03 < found["records_with_errors"] / found["records"] < 0.07
    assert found["certain_false"] == 0
    assert found["certain_recall"] > 0.95
    assert found["blocking_recall"] > 0.99
    assert found["joined_recall"] > found["certain_recall"]
    assert found["review_pairs"] > 0
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    recalls = [float(row["recall"]) for row in rows]
    assert recalls == sorted(recalls), "a lower threshold never finds fewer"
    again = handoff("match", "evaluate", "--people", PEOPLE, "--seed", 7, "--json").json
    timeless = [name for name in found if not name.endswith("_per_s")]
    assert [again[name] for name in timeless] == [found[name] for name in timeless]


def test_the_curve_is_printed_with_the_threshold_in_use(handoff: Handoff) -> None:
    ended = handoff("match", "evaluate", "--people", 200)
    assert ended.code == ExitCode.OK
    assert " <\n" in ended.out


def test_the_curve_as_a_picture_needs_the_extra(handoff: Handoff, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    ended = handoff("match", "evaluate", "--people", 200, "--plot", picture, "--json")
    if find_spec("matplotlib") is None:
        assert ended.code == ExitCode.REFUSED
        assert "warm-handoff[match]" in ended.error["remedy"]
    else:
        assert "<svg" in picture.read_text()


def test_records_of_a_file_are_judged_like_those_drawn(handoff: Handoff, tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    assert handoff("match", "generate", file, "--people", 300, "--seed", 3).code == ExitCode.OK
    drawn = handoff("match", "evaluate", "--people", 300, "--seed", 3, "--json").json
    read = handoff("match", "evaluate", "--records", file, "--json").json
    for name in ("records", "true_pairs", "pairs_compared", "certain_recall", "review_pairs"):
        assert read[name] == drawn[name], name


def test_weights_are_estimated_with_and_without_labels_and_judge_as_well(handoff: Handoff, tmp_path: Path) -> None:
    read = []
    for name, way in (("labelled", ()), ("em", ("--unlabelled",))):
        file = tmp_path / f"{name}.toml"
        arguments = ("--people", 800, "--seed", 5, "--population", 100_000, "--random-pairs", 20_000, "--version", name, "--write", file)
        ended = handoff("match", "estimate", *arguments, *way)
        assert ended.code == ExitCode.OK, ended.err
        read.append(load_weights(file, shipped("matching", "names.toml")))
        found = handoff("match", "evaluate", "--people", 800, "--seed", 6, "--weights", file, "--json").json
        assert found["weights"] == name
        assert found["certain_false"] == 0
        assert found["certain_recall"] > 0.93
    for of, odds in read[0].odds.items():
        assert abs(odds[Outcome.EXACT].weight - read[1].odds[of][Outcome.EXACT].weight) < 0.25, of


def test_a_file_that_is_not_what_it_should_be_is_refused(handoff: Handoff, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("surname\nTarnbrook\n")
    assert handoff("match", "evaluate", "--records", wrong, "--json").code == ExitCode.REFUSED
    assert handoff("match", "evaluate", "--people", 100, "--weights", wrong, "--json").code == ExitCode.REFUSED


def test_an_index_is_marked_listed_and_unmarked_and_an_empty_queue_says_so(operator: Handoff) -> None:
    handoff = operator
    assert handoff("match", "list", "--json").json["items"] == []
    assert [row["authority"] for row in handoff("match", "index", "--mark", "empi", "--json").json["items"]] == ["EMPI"]
    assert handoff("match", "index", "--unmark", "EMPI", "--json").json["items"] == []
    refused = handoff("match", "index", "--unmark", "EMPI")
    assert refused.code == ExitCode.REFUSED
    assert handoff("match", "rescore", "--json").json == {"records": 0}
    nothing = "mat_0199a4c07c5d7e0fb1d2c3a4e5f60718"
    assert handoff("match", "resolve", nothing, "same", "--reason", "x").code == ExitCode.REFUSED
    assert handoff("match", "show", nothing).code == ExitCode.REFUSED
    assert handoff("match", "resolve", nothing, "perhaps", "--reason", "x").code == ExitCode.USAGE
