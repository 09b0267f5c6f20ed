"""`handoff match`: how good the scored comparison is, and weights estimated from records.

Not here: the questions about real records, which are commands of the same group (match_review.py); matching itself (app/actions).
"""

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli import match_review
from app.cli.exits import ExitCode, refused
from app.cli.match import curve, labelled
from app.cli.match.estimation import RANDOM_PAIRS, toml_of
from app.cli.match.estimation import estimate as estimated
from app.cli.match.evaluation import evaluate as evaluated
from app.cli.match.labelled import Labelled
from app.cli.output import JsonFlag, Output
from app.domain.comparison_weights import Weights
from app.standards.matching_rules import load_weights, vocabulary
from app.standards.matching_rules import weights as shipped_weights
from app.standards.toml_table import StandardsError, shipped

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Who is one person: the questions that matching asks, and how good it is."
)

ERRORS: Final = 0.05

People = Annotated[int, typer.Option(min=100, max=5_000_000, help="How many synthetic people to draw.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same people and records.")]
Errors = Annotated[float, typer.Option(min=0, max=1, help="The share of the records that have an error.")]
RecordsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Take these records (CSV with the columns of a roster and `person`) instead of drawing some.",
    ),
]
WeightsFile = Annotated[
    Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Take these weights instead of those shipped.")
]


@app.command()
def evaluate(
    people: People = 100_000,
    seed: Seed = 1,
    errors: Errors = ERRORS,
    records: RecordsFile = None,
    weights: WeightsFile = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the threshold curve there: .png or .svg (extra `match`).")] = None,
    table: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the threshold curve there as CSV.")] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Compare labelled records, and print precision and recall of *certain*, what goes to review, and the threshold curve."""
    output = Output(as_json=as_json)
    taken = _weights(weights)
    found = evaluated(lambda: _labelled(people, seed, errors, records), taken)
    if table is not None:
        curve.write_csv(found, table)
    if plot is not None:
        curve.draw(found, taken, plot)
    document = {"weights": taken.version, **found.document()}
    if as_json:
        output.result(document)
    else:
        output.fields(document)
        output.text(curve.drawn_in_text(found, taken) + "\n")
    return ExitCode.OK


@app.command()
def estimate(
    people: People = 20_000,
    seed: Seed = 2,
    errors: Errors = ERRORS,
    records: RecordsFile = None,
    weights: WeightsFile = None,
    population: Annotated[int, typer.Option(min=1000, help="Among how many people the weights are going to decide.")] = 2_000_000,
    random_pairs: Annotated[int, typer.Option(min=1000, help="On so many pairs drawn at random u is counted.")] = RANDOM_PAIRS,
    version: Annotated[str, typer.Option(help="What the new version is called.")] = "estimated",
    effective_on: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="From when it counts.")] = "2026-11-29",
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the weights there instead of printing them.")] = None,
    *,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Do not look at who is who: estimate by EM.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Estimate weights from records, and print them as the TOML file from which they are loaded."""
    output = Output(as_json=as_json)
    found = estimated(
        _labelled(people, seed, errors, records),
        _weights(weights),
        is_labelled=not unlabelled,
        population=population,
        seed=seed,
        version=version,
        random_pairs=random_pairs,
    )
    text = toml_of(found.weights, effective_on)
    if write is not None:
        write.write_text(text, encoding="utf-8")
    document = {"pairs": found.pairs, "matches": round(found.matches), "random_pairs": found.random_pairs, "certain": found.weights.certain}
    if as_json:
        output.result({**document, "toml": text})
    elif write is not None:
        output.result(
            {**document, "file": str(write)}, f"Written to {write}: {found.pairs} pairs, certain from {found.weights.certain} bits."
        )
    else:
        output.text(text)
    return ExitCode.OK


@app.command()
def generate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the records, as CSV.")],
    people: People = 10_000,
    seed: Seed = 1,
    errors: Errors = ERRORS,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Write the labelled records of synthetic people, for other programs to be measured on."""
    written = labelled.write(file, labelled.drawn(people, seed, errors, shipped_weights(), vocabulary()))
    Output(as_json=as_json).result(
        {"file": str(file), "people": people, "records": written}, f"{written} records of {people} people in {file}."
    )
    return ExitCode.OK


def _weights(file: Path | None) -> Weights:
    if file is None:
        return shipped_weights()
    names: Traversable = shipped("matching", "names.toml")
    try:
        return load_weights(file, names)
    except StandardsError as wrong:
        raise refused(str(wrong), "`handoff match estimate` prints such a file.") from wrong


def _labelled(people: int, seed: int, errors: float, records: Path | None) -> Labelled:
    if records is not None:
        return Labelled.of(labelled.read(records), vocabulary())
    return Labelled.of(labelled.drawn(people, seed, errors, shipped_weights(), vocabulary()), vocabulary())


app.command("list")(match_review.list_)
app.command("show")(match_review.show)
app.command("resolve")(match_review.resolve)
app.command("reopen")(match_review.reopen)
app.command("index")(match_review.index)
app.command("rescore")(match_review.rescore)
