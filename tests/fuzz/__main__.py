"""`python -m tests.fuzz TARGET [--seconds N | --runs N] [--seed N] [--folder DIR]`: fuzz one target, guided by coverage.

    framer  tokens  escapes  batch  reader  xml  json  fhir

Inputs that reach something new are kept in FOLDER/TARGET and begin the next run; a finding is written to FOLDER/findings and ends the
run with a traceback. Put its smallest form into `tests/fuzz/found/TARGET/`, where pytest tries it, and then mend the code.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["adapters.hl7v2", "adapters.fhir", "app.api.strict_json"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz import seeds
from tests.fuzz.mutate import dictionary, mutate_json

MEMORY_MEGABYTES = 2_048
SLOWEST_S = 120
"""A single input that takes longer in real time, on a busy machine and measured twice, is a hang. What is slow is for `budget` to say."""


def main() -> None:
    """Run one target; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz one target.")
    parser.add_argument("target", choices=TARGETS)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--seconds", type=int)
    length.add_argument("--runs", type=int)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one each time")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    given = parser.parse_args()
    target = TARGETS[given.target]
    corpus, findings = given.folder / given.target, given.folder / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    sys.stderr.write(f"{given.target}: {seeds.write(corpus, target.seeds(), given.target)} inputs to begin with\n")
    with TemporaryDirectory() as made:
        words = Path(made) / "words"
        words.write_text(dictionary())
        options = [f"-artifact_prefix={findings}/{given.target}-", f"-max_len={target.bytes_max}", f"-seed={given.seed}",
                   f"-rss_limit_mb={MEMORY_MEGABYTES}", f"-timeout={SLOWEST_S}", f"-report_slow_units={SLOWEST_S}",
                   "-print_final_stats=1"]  # fmt: skip
        options += [f"-max_total_time={given.seconds}"] if given.seconds else [f"-runs={given.runs}"]
        options += [] if target.is_json else [f"-dict={words}"]
        mutator = {"custom_mutator": mutate_json} if target.is_json else {}
        atheris.Setup(["fuzz", *options, str(corpus)], target, **mutator)
        atheris.Fuzz()


main()
