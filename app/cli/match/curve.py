"""The threshold curve: a picture where matplotlib is installed (extra `match`), rows of a table always."""

import csv
from pathlib import Path
from typing import Final

from app.cli.exits import refused
from app.cli.match.evaluation import Evaluation
from app.domain.comparison_weights import Weights

COLUMNS: Final = ("threshold", "precision", "recall", "false_pairs")
BAR: Final = 50


def write_csv(found: Evaluation, file: Path) -> None:
    """Write a row for each half bit."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(found.curve())


def drawn_in_text(found: Evaluation, weights: Weights) -> str:
    """Draw recall over the threshold in letters, and say the false pairs: one line for every other bit."""
    lines = ["threshold  recall   precision  false  (the line with < is the threshold in use)"]
    for threshold, precision, recall, false in found.curve():
        in_use = threshold == round(weights.certain * 2) / 2
        if (threshold % 2 == 0 and weights.possible <= threshold <= weights.certain + 30) or in_use:
            mark = " <" if in_use else ""
            lines.append(f"{threshold:9.1f}  {recall:7.4f}  {precision:9.6f}  {false:5d}  {'#' * round(recall * BAR)}{mark}")
    return "\n".join(lines)


def draw(found: Evaluation, weights: Weights, file: Path) -> None:
    """Draw precision and recall over the threshold into a PNG or SVG file."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError:
        remedy = "Install the extra: pip install 'warm-handoff[match]'; or take --csv, which needs nothing."
        raise refused("The curve cannot be drawn: matplotlib is not installed.", remedy) from None
    rows = [row for row in found.curve() if weights.possible - 5 <= row[0] <= weights.certain + 40]
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    thresholds = [row[0] for row in rows]
    axes.plot(thresholds, [row[1] for row in rows], label="precision of certain")
    axes.plot(thresholds, [row[2] for row in rows], label="recall of certain")
    axes.axvline(weights.certain, linestyle="--", color="black", label=f"certain from {weights.certain:g} bits")
    axes.axvline(weights.possible, linestyle=":", color="black", label=f"possible from {weights.possible:g} bits")
    axes.set_xlabel("threshold in bits (log2 of the odds)")
    axes.set_ylabel("share of pairs")
    axes.set_title(f"{found.people} people, {found.records} records; weights {weights.version}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(file)
