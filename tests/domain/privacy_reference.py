"""A second reading of domain section 4, written from the table and not from the code: what the generated table is compared with.

It speaks of single facts in plain words and knows nothing of tiers' order, of packs' form or of caches.
"""

from dataclasses import dataclass
from datetime import date

PROVIDERS = ("hospital", "health_home", "behavioral_health_home")
PAYERS = ("plan", "agency")


@dataclass(frozen=True)
class Paper:
    """What lies in the drawer."""

    kind: str
    about: tuple[str, ...] = ("all",)
    uses: tuple[str, ...] = ("treatment", "payment", "operations", "viewing")
    classes: tuple[str, ...] = ()
    names_me: bool = False
    by_other_place: bool = False
    signed: date = date(2026, 1, 1)
    last_day: date | None = None
    over: bool = False
    """An emergency whose hours have passed."""


@dataclass(frozen=True)
class Question:
    """One row of the table."""

    status: str
    unit: bool
    sud: bool
    mental: bool
    licensed: bool
    who: str
    use: str | None
    pack: str | None
    paper: Paper | None
    today: date = date(2026, 6, 1)


def _in_force(q: Question) -> bool:
    p = q.paper
    return p is not None and p.signed <= q.today and (p.last_day is None or q.today <= p.last_day) and not p.by_other_place and not p.over


def _reaches(q: Question) -> bool:
    p = q.paper
    assert p is not None
    if p.kind == "intermediary":
        return q.who in PROVIDERS
    by_class = ("treating_providers" in p.classes and q.who in PROVIDERS) or ("health_plans" in p.classes and q.who in PAYERS)
    return p.names_me or by_class or ("program_helpers" in p.classes and q.who == "hie")


def _uses(q: Question) -> set[str]:
    if q.use is not None:
        return {q.use}
    return {"treatment"} if q.who in PROVIDERS else {"payment", "operations"}


def _refused(q: Question, uses: set[str], *, is_program: bool) -> bool:
    p = q.paper
    if p is None or p.kind != "refusal" or not _in_force(q):
        return False
    everybody = not p.classes and not p.names_me
    subjects = {"all"} | ({"substance_use"} if q.sud or is_program else set()) | ({"mental_health"} if q.mental or q.licensed else set())
    return bool((everybody or _reaches(q)) and (not p.uses or uses & set(p.uses)) and subjects & set(p.about))


def _part2(q: Question, uses: set[str], *, is_program: bool, provider: bool) -> str:
    p = q.paper
    if is_program or (q.status == "unknown" and q.sud):
        federal_uses = {"treatment"} if provider and "viewing" in uses else ({"payment", "operations"} if "viewing" in uses else uses)
        signed = (
            p is not None
            and p.kind in ("tpo", "named", "intermediary")
            and _in_force(q)
            and _reaches(q)
            and bool(federal_uses & set(p.uses))
            and bool({"all", "substance_use"} & set(p.about))
        )
        saved = p is not None and p.kind == "emergency" and _in_force(q) and provider and _reaches(q)
        if signed or saved:
            return "labelled"
        if not is_program:
            return "hold"
        return "hidden" if q.unit and q.status == "program" else "closed"
    return "open"


def expected(q: Question) -> tuple[str, frozenset[str]]:
    """Say what is told, and under which labels."""
    mental = q.mental or q.licensed
    provider, uses = q.who in PROVIDERS, _uses(q)
    is_program = q.status in ("program", "sud_only")
    if _refused(q, uses, is_program=is_program):
        return "suppress", frozenset()
    part2 = _part2(q, uses, is_program=is_program, provider=provider)
    # The state
    state = "silent"
    if q.pack == "us-me" and q.licensed:
        state = "met" if _maine(q, provider, uses) else "closed"
    if q.pack == "us-il" and mental:
        state = "met" if _illinois(q, provider, uses) else "closed"
    if part2 == "closed":
        return "suppress", frozenset()
    # Whether or not the state is silent: somebody has to be asked what the place is.
    if part2 == "hold":
        return "hold", frozenset()
    if state == "closed":
        return "suppress", frozenset()
    if part2 == "hidden":
        return "minimal", frozenset({"N"})
    sensitive = {"SUD"} if q.sud or part2 == "labelled" else set()
    sensitive |= {"PSY"} if mental else set()
    if part2 == "labelled":
        return ("full" if provider else "minimal"), frozenset({"R", "42CFRPart2", *sensitive})
    if not provider:
        return "minimal", frozenset({"N"})
    return "full", frozenset({"R" if sensitive else "N", *sensitive})


def _maine(q: Question, provider: bool, uses: set[str]) -> bool:
    p = q.paper
    if p is None or not _in_force(q) or not _reaches(q):
        return False
    if p.kind in ("emergency", "break_glass"):
        return provider
    # Treatment notices, viewing and payers are asked apart.
    agreed = bool(uses & set(p.uses)) and bool({"all", "mental_health"} & set(p.about))
    return p.kind in ("tpo", "named", "intermediary") and agreed and (q.today - p.signed).days <= 365


def _illinois(q: Question, provider: bool, uses: set[str]) -> bool:
    p = q.paper
    if p is None or not _in_force(q) or not _reaches(q):
        return False
    if p.kind in ("emergency", "break_glass"):
        return provider
    agreed = bool(uses & set(p.uses)) and bool({"all", "mental_health"} & set(p.about))
    return p.kind == "named" and p.names_me and p.last_day is not None and agreed
