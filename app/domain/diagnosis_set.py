"""The diagnoses of a stay as a fold: the DG1 of every message in, what stands out, in whatever order they arrive.

The folded form is a JSON object: use -> {"key": of the newest snapshot, "set": [diagnosis...], "changes": [[key, action, diagnosis]...]},
where a diagnosis is [code, system, text, rank]. Not here: what a diagnosis means (`diagnosis`, `behavioral`).
"""

from dataclasses import dataclass
from typing import Any

from app.domain.adt_event import AdtEvent, DiagnosisAction, DiagnosisFact


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis of the stay as it stands."""

    code: str
    system: str
    text: str
    use: str
    rank: int | None


def with_diagnoses(before: dict[str, Any], key: str, event: AdtEvent) -> dict[str, Any]:
    """Fold the DG1 set: a snapshot replaces the set of its use, an action code changes one diagnosis (ADT-2, DG1-21)."""
    if not event.diagnoses and not event.diagnoses_erased:
        return before
    after = dict(before)
    uses = {diagnosis.use.value for diagnosis in event.diagnoses} | {use.value for use in event.diagnoses_erased}
    for use in sorted(uses):
        facts = [diagnosis for diagnosis in event.diagnoses if diagnosis.use == use]
        held = after.get(use, {"key": "", "set": [], "changes": []})
        snapshot = [_listed(fact) for fact in facts if fact.action is DiagnosisAction.SNAPSHOT]
        changes = [[key, fact.action.value, _listed(fact)] for fact in facts if fact.action is not DiagnosisAction.SNAPSHOT]
        if (snapshot or not changes) and key >= held["key"]:
            held = {"key": key, "set": snapshot, "changes": [change for change in held["changes"] if change[0] > key]}
        kept = [change for change in held["changes"] if change[0] != key]
        fresh = [change for change in changes if change[0] >= held["key"]]
        after[use] = {**held, "changes": sorted([*kept, *fresh], key=_message)}
    return after


def joined_diagnoses(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Join the diagnoses of two folds: what folding the messages of both gives."""
    joined = dict(left)
    for use, held in right.items():
        other = joined.get(use)
        if other is None:
            joined[use] = held
            continue
        older, newer = sorted((other, held), key=lambda one: one["key"])
        changes = [*newer["changes"], *(one for one in older["changes"] if one[0] > newer["key"] and one not in newer["changes"])]
        joined[use] = {"key": newer["key"], "set": newer["set"], "changes": sorted(changes, key=_message)}
    return joined


def _message(change: list[Any]) -> str:
    """Order changes by message; within one they keep its order (sorting is stable)."""
    key: str = change[0]
    return key


def _listed(fact: DiagnosisFact) -> list[Any]:
    return [fact.code, fact.system, fact.text, fact.rank]


def standing_diagnoses(use: str, held: dict[str, Any]) -> list[Diagnosis]:
    """Give the diagnoses of one use as they stand."""
    by_code = {entry[0]: entry for entry in held["set"]}
    for _, action, entry in held["changes"]:
        if action == DiagnosisAction.DELETE:
            by_code.pop(entry[0], None)
        else:
            by_code[entry[0]] = entry
    return [Diagnosis(code, system, text, use, rank) for code, system, text, rank in by_code.values()]
