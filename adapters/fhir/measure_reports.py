"""A measure's result as a FHIR R4 MeasureReport: summary, subject-list or individual. Out only, as plain dicts.

Standard: FHIR R4 MeasureReport and the answer of `Measure/$evaluate-measure`. One group for each window. Not here: the numbers
(domain/rate), and who may ask (app/api/fhir_measures).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from adapters.fhir.values import Json
from app.domain.measure import Evidence, MeasureRules, MeasureState
from app.domain.rate import IN_DENOMINATOR, Rate

_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
_NOTATION: Final = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
_UCUM: Final = "http://unitsofmeasure.org"
_ENCOUNTER: Final = "urn:warm-handoff:encounter"
MEASURE: Final = "urn:warm-handoff:measure:"
"""Begins the canonical name of a measure; its version is that of the rules."""
LABEL: Final = {"system": "urn:warm-handoff:label", "code": "uncertified", "display": "HEDIS-like, uncertified"}
_TYPES: Final = {"summary": "summary", "subject-list": "subject-list", "individual": "individual"}
Event = Mapping[str, Any]
"""A line of the ledger."""


class MeasureReports:
    """Writes reports."""

    def report(
        self,
        rules: MeasureRules,
        rate: Rate,
        events: Sequence[Event],
        *,
        kind: str,
        period: tuple[date, date],
        at: datetime,
        reporter: tuple[UUID, str] | None,
        person_id: UUID | None,
    ) -> Json:
        """Give a report. `events` are those behind the numbers, for the kinds that name them."""
        named = kind != "summary"
        lists: list[Json] = []
        groups = [_group(code, days, rate, rules, events if kind == "subject-list" else (), lists) for code, days in _windows(rules)]
        found: Json = {
            "resourceType": "MeasureReport",
            "meta": {"tag": [LABEL]},
            "status": "complete",
            "type": _TYPES[kind],
            "measure": f"{MEASURE}{rules.measure}|{rules.version}",
            "date": at.isoformat(),
            "period": {"start": period[0].isoformat(), "end": period[1].isoformat()},
            "improvementNotation": _coded(_NOTATION, "decrease" if rules.evidence is Evidence.RETURN else "increase"),
            "group": groups,
        }
        if lists:
            found["contained"] = lists
        if reporter is not None:
            found["reporter"] = {
                "type": "Organization",
                "display": reporter[1],
                "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{reporter[0]}"},
            }
        if person_id is not None:
            found["subject"] = {"reference": f"Patient/{person_id.hex}"}
        if named and events:
            found["evaluatedResource"] = [
                {"reference": f"Encounter/{one['encounter_id'].hex}", "display": f"{one['status_30']}: {one['reason']}"} for one in events
            ]
        return found


def _windows(rules: MeasureRules) -> Sequence[tuple[str, int]]:
    return [("window", 7)] if rules.window_days else [("7-days", 7), ("30-days", 30)]


def _group(code: str, days: int, rate: Rate, rules: MeasureRules, events: Sequence[Event], lists: list[Json]) -> Json:
    is_short = days == 7  # noqa: PLR2004 - the short window
    numerator, score = (rate.numerator_7, rate.rate_7) if is_short else (rate.numerator_30, rate.rate_30)
    status = f"status_{days}"
    tests: Mapping[str, tuple[int, Callable[[Event], bool]]] = {
        "initial-population": (rate.initial_population, lambda one: one["status_30"] != MeasureState.SUPERSEDED),
        "denominator": (rate.denominator, lambda one: one["status_30"] in IN_DENOMINATOR),
        "denominator-exclusion": (sum(rate.excluded.values()), lambda one: one["status_30"] == MeasureState.EXCLUDED),
        "numerator": (numerator, lambda one: one["status_30"] in IN_DENOMINATOR and one[status] == MeasureState.MET),
    }
    populations = []
    for name, (count, holds) in tests.items():
        population: Json = {"code": _coded(_POPULATION, name), "count": count}
        chosen = [one for one in events if holds(one)]
        if chosen:
            listed = f"{code}-{name}"
            lists.append(_list(listed, chosen))
            population["subjectResults"] = {"reference": f"#{listed}"}
        populations.append(population)
    group: Json = {"code": {"text": f"{rules.title}: {code}"}, "population": populations}
    if score is not None:
        group["measureScore"] = {"value": score, "unit": "%", "system": _UCUM, "code": "%"}
    return group


def _list(name: str, events: Iterable[Event]) -> Json:
    """List the people, once for each event: the unit of these measures is the discharge or the visit."""
    return {
        "resourceType": "List",
        "id": name,
        "status": "current",
        "mode": "snapshot",
        "entry": [
            {
                "item": {
                    "reference": f"Patient/{one['person_id'].hex}",
                    "identifier": {"system": _ENCOUNTER, "value": one["encounter_id"].hex},
                }
            }
            for one in events
        ],
    }


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}
