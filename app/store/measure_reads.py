"""Rates and the events behind them, read from the measure ledger: now, or as they were known at an instant.

Row-level security asks again who may see which line. One statement each. Not here: which lines may not be read any more
(measure_rights).
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from app.domain.commit_order import Between
from app.domain.measure import LONG_DAYS, SHORT_DAYS, EvidenceSource
from app.domain.rate import Counted, as_source_tells
from app.store import measure_cube, measure_tallies
from app.store.commits import between
from app.store.raw import Raw
from app.store.tables.measures import measure_line
from app.store.tables.policies import signed_for

_OTHERS: Final = ", ".join(f"m.{column.name}" for column in measure_line.c if column.name not in {"home_id", "of_home"})

_HOME_AT: Final = {days: f"case when m.moved then m.home_{days}_id else m.home_id end" for days in (7, 30)} | {0: "m.home_id"}
_OF_HOME_AT: Final = {days: f"(not m.moved and m.home_id = {{0}} or m.moved and m.home_{days}_id = {{0}})" for days in (7, 30)} | {
    0: "m.home_id = {0}"
}
"""Days after the discharge -> the home of a line, and how it is looked for."""

_COUNTS_NO_MORE: Final = """not exists (
select 1 from measure_line n where n.encounter_id = {alias}.encounter_id and n.measure = {alias}.measure
    and n.organization_id is not distinct from {alias}.organization_id and n.known_to is null and ({home} is not null or not n.of_home))"""
_CHANGED: Final = "({alias}.known_to is null and {alias}.known_from >= {since} or {alias}.known_to >= {since} and " + _COUNTS_NO_MORE + ")"
"""What was learned since: new versions, and lines that ended without another in their place, because the event no longer counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFilter:
    """Which lines are asked for."""

    measure: str
    organizations: Sequence[UUID]
    """For whom they count; none: for the exchange."""
    from_on: date
    to_on: date
    """Inclusive, by the anchor."""
    mature_before: date | None = None
    """Only events whose 30 days ended before this day."""
    known_at: datetime | None = None
    """As it was known then; None: as it stands."""
    home_id: UUID | None = None
    home_days: int = 0
    """Whose home counts: that of so many days after the discharge, 0, 7 or 30."""
    facility_id: UUID | None = None
    person_id: UUID | None = None
    status: str | None = None
    changed_since: datetime | None = None
    committed: Between | None = None
    """Of what stands, and what counts no more: what was committed between two places."""
    without: Collection[int] = ()
    """Lines that whoever asks may not be told of now (actions/withhold_measures)."""
    reader_id: UUID | None = None
    reserved: frozenset[UUID] = frozenset()
    """Homes of which it has to be asked whether the reader may know: what a line said once, or says still, is not what may be read."""

    def source(self, values: list[Any], *, only_reserved: bool = False) -> str:
        """Give the lines, with the home that counts, and only where it may be known; or those alone of which it has to be asked."""
        if not self.reserved and not self.home_days:
            return "measure_line l"
        shown = home = _HOME_AT[self.home_days]
        # What stands in the place of a column is in no index, and what is hidden is nobody's: both are asked of the columns.
        parts = [f"({home} is not null or not m.of_home)"]
        if self.home_id is not None:
            values.append(self.home_id)
            parts.append(_OF_HOME_AT[self.home_days].format(f"${len(values)}"))
        if self.reserved:
            values += [list(self.reserved), self.reader_id]
            asked = f"{home} = any(${len(values) - 1}::uuid[])"
            shown = f"case when {asked} and not {signed_for('m.person_id', f'${len(values)}::uuid')} then null else {home} end"
            parts += [asked] if only_reserved else []
        return f"(select {_OTHERS}, {shown} as home_id, false as of_home from measure_line m where {' and '.join(parts)}) l"

    def where(self, alias: str, values: list[Any], *, versioned: bool = True) -> str:
        """Give the condition, and add its values. Not `versioned`: of a table that has nothing but what stands."""
        values += [self.measure, self.from_on, self.to_on]
        first = len(values) - 2
        home = _HOME_AT[self.home_days].replace("m.", "n.")
        parts = [f"{alias}.measure = ${first}", f"{alias}.anchor_on between ${first + 1} and ${first + 2}"]

        def also(condition: str, value: object) -> None:
            if value is not None:
                values.append(value)
                parts.append(condition.format(f"${len(values)}"))

        # `is not distinct from` would not be looked up in the index.
        if not self.organizations:
            parts.append(f"{alias}.organization_id is null")
        elif len(self.organizations) == 1:
            # Said as one, the order of the index is an order of the whole, and nothing has to be hashed.
            also(f"{alias}.organization_id = {{}}", self.organizations[0])
        else:
            also(f"{alias}.organization_id = any({{}}::uuid[])", list(self.organizations))
        if versioned:
            # A home counts what was its own on the day.
            parts.append(f"({alias}.home_id is not null or not {alias}.of_home)")
        if versioned and self.known_at is None and self.changed_since is None and self.committed is None:
            parts.append(f"{alias}.known_to is null")
        also(f"{alias}.known_from <= {{0}} and ({alias}.known_to is null or {alias}.known_to > {{0}})", self.known_at)
        also(f"{alias}.due_30_on < {{}}", self.mature_before)
        also(f"{alias}.home_id = {{}}", self.home_id)
        also(f"{alias}.facility_id = {{}}", self.facility_id)
        also(f"{alias}.person_id = {{}}", self.person_id)
        also(f"{alias}.status_30 = {{}}", self.status)
        if self.known_at is None and self.changed_since is not None:
            also(_CHANGED.format(alias=alias, since="{0}", home=home), self.changed_since)
        else:
            also(f"{alias}.known_from >= {{}}", self.changed_since)
        if self.committed is not None:
            counts_no_more = _COUNTS_NO_MORE.format(alias=alias, home=home)
            parts.append(f"{between(f'{alias}.xid', self.committed, values)} and ({alias}.known_to is null or {counts_no_more})")
        also(f"{alias}.id <> all({{}}::bigint[])", sorted(self.without) or None)
        return " and ".join(parts)


GROUPS: Final = {
    "home": "l.home_id",
    "facility": "l.facility_id",
    "month": "width_bucket(l.anchor_on, {starts}::date[])",
    "quarter": "width_bucket(l.anchor_on, {starts}::date[])",
    "age_band": "l.age",
    "sex": "l.sex",
    "race": "l.race",
    "ethnicity": "l.ethnicity",
    "language": "l.language",
    "dual_status": "l.dual_status",
    "geography": "l.geography",
    "payer": "l.organization_id",
}
"""What rates can be asked by -> how the database says it. A month is the number of its first day among those of the period, and
what band an age is in is asked afterwards."""

_MONTHS: Final = {"month": 1, "quarter": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """By whose evidence lines are counted, and as of which day windows are open."""

    source: EvidenceSource
    today: date
    window_days: int
    """The only window of the measure; 0: the 7 and the 30 days."""

    @property
    def opens_on(self) -> tuple[date, date]:
        """The first anchors whose windows are open."""
        return self.today - timedelta(days=self.window_days or SHORT_DAYS), self.today - timedelta(days=LONG_DAYS)


async def count(raw: Raw, wanted: LineFilter, group_by: Sequence[str], bands: Sequence[int], told: Told | None = None) -> list[Counted]:
    """Count the lines by group, statuses and reason: a few rows, whatever the number of lines.

    From a tally (uq_measure_tally), else from that of everything (uq_measure_cube), and open months from the ledger's index alone
    (ix_measure_line_facets); by nothing finer than is asked for: by days, a year of a state has so many kinds of lines that most of the
    time went into telling them apart.
    """
    values: list[Any] = []
    source = _source(wanted, group_by, bands, told, values)
    groups: list[str] = []
    names: dict[int, list[str]] = {}
    bands_of: tuple[int, str] | None = None
    # What tells everything apart has the bands already, and few rows left.
    tells_all = not _is_of_lines(wanted) and measure_tallies.tally_of(_asked(wanted, group_by) - _OF_ALL) is None
    for place, name in enumerate(group_by):
        if name in _MONTHS:
            starts = _starts(wanted.from_on, wanted.to_on, _MONTHS[name])
            values.append(starts)
            names[place] = [_name(name, on) for on in starts]
        elif name == "age_band":
            values.append(list(bands))
            band = f"width_bucket({{}}, ${len(values)}::int[])"
            if tells_all:
                groups.append(band.format(GROUPS[name]))
                continue
            bands_of = place, band.format(f"l.g{place}")
        groups.append(GROUPS[name].format(starts=f"${len(values)}"))
    if told is not None:
        # The windows of measures that services decide begin with the anchor.
        for opens_on in told.opens_on:
            values.append(opens_on)
            groups.append(f"l.anchor_on >= ${len(values)}")
    numbers = ", ".join(str(number) for number in range(1, len(groups) + 2))
    listed = ", ".join([*(f"{group} as g{place}" for place, group in enumerate(groups)), "l.outcome"])
    query = f"select {listed}, sum(l.lines)::bigint as lines from ({source}) as l group by {numbers} having sum(l.lines) <> 0"
    if bands_of is not None:
        # A band is found for each age, not for each of a million lines.
        place, band = bands_of
        named = [band if number == place else f"l.g{number}" for number in range(len(groups))]
        listed = ", ".join([*named, "l.outcome"])
        query = f"select {listed}, sum(l.lines)::bigint from ({query}) as l group by {numbers} having sum(l.lines) <> 0"
    rows = await raw.fetch(query, *values)
    return [_counted(tuple(row), names, told) for row in rows]


_COLUMNS: Final = {
    "month": "anchor_on",
    "quarter": "anchor_on",
    "age_band": "age",
    "home": "home_id",
    "facility": "facility_id",
    "payer": "organization_id",
}
"""Group -> what it is of, where that is not its name."""
_OF_ALL: Final = frozenset({"anchor_on", "organization_id", "outcome"})


def _asked(wanted: LineFilter, group_by: Sequence[str]) -> set[str]:
    """Give the columns that are asked by."""
    narrowed = {name for name in ("home_id", "facility_id") if getattr(wanted, name) is not None}
    return {_COLUMNS.get(name, name) for name in group_by} | narrowed


def _is_of_lines(wanted: LineFilter) -> bool:
    """Tell whether lines have to be looked at: no tally has a past, or people."""
    return bool(wanted.known_at or wanted.changed_since or wanted.person_id or wanted.status)


def _source(wanted: LineFilter, group_by: Sequence[str], bands: Sequence[int], told: Told | None, values: list[Any]) -> str:
    """Give kinds of lines with how many there are: of a tally with what belongs to it, else of the ledger, of which each counts once.

    By the home of a later day it is what the home of the discharge gives, less what moved, and that again where it went.
    """
    asked = _asked(wanted, group_by)
    columns = _listed(sorted(_OF_ALL | asked))
    if _is_of_lines(wanted):
        return _of_ledger(wanted, columns, values)
    at_discharge = replace(wanted, home_days=0)
    months = min((_MONTHS[name] for name in group_by if name in _MONTHS), default=0)
    starts = _starts(wanted.from_on, wanted.to_on, months) if months > 1 else [wanted.from_on] * (not months)
    parts = [_standing(at_discharge, asked, bands, starts, told, values)]
    if wanted.home_days:
        parts += [_of_ledger(at_discharge, columns, values, moved=-1), _of_ledger(wanted, columns, values, moved=1)]
    return " union all ".join(parts)


def _standing(
    wanted: LineFilter, asked: AbstractSet[str], bands: Sequence[int], starts: Sequence[date], told: Told | None, values: list[Any]
) -> str:
    """Give what stands by the home of the discharge: a tally, what waits to be folded, and what rights and open days ask of the ledger."""
    listed = sorted(_OF_ALL | asked)
    columns = _listed(listed)
    tally = measure_tallies.tally_of(asked - _OF_ALL)
    boundaries = [wanted.mature_before - timedelta(days=LONG_DAYS)] if wanted.mature_before else []
    if tally != measure_tallies.BY_DAY and told is not None:
        boundaries += told.opens_on
    until = measure_tallies.whole_until(tally, wanted.from_on, wanted.to_on, *boundaries)
    before = replace(wanted, to_on=until - timedelta(days=1), mature_before=None, without=())
    reserved = before.reserved if "home_id" in asked else frozenset()

    def of(table: str, lines: str, also: str = "", *, versioned: bool = False) -> str:
        condition = before.where("l", values, versioned=versioned)
        if reserved:
            values.append(list(reserved))
            condition += f" and (l.home_id is null or l.home_id <> all(${len(values)}::uuid[]))"
        return f"select {columns}, {lines} as lines from {table} l where {condition}{also}"

    if tally is not None:
        parts = [of("measure_tally", "l.lines", f" and l.tally = '{tally}'")]
    else:
        condition = replace(before, home_id=None, facility_id=None).where("l", values, versioned=False)
        of_all = ("outcome", *(asked - {"anchor_on"}))
        parts = [
            measure_cube.counting(
                listed, of_all, condition, values, bands=bands, starts=starts,
                home_id=before.home_id, facility_id=before.facility_id, but_homes=reserved,
            )
        ]  # fmt: skip
    parts.append(of("measure_change", "l.lines"))
    if wanted.without:
        values.append(sorted(wanted.without))
        parts.append(of("measure_line", "-1", f" and l.id = any(${len(values)}::bigint[])", versioned=True))
    if reserved:
        parts.append(_of_ledger(replace(before, without=wanted.without), columns, values, only_reserved=True))
    if until <= wanted.to_on and tally != measure_tallies.BY_DAY:
        parts.append(_of_ledger(replace(wanted, from_on=until), columns, values))
    return " union all ".join(parts)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f"l.{name}" for name in columns)


def _of_ledger(wanted: LineFilter, columns: str, values: list[Any], *, only_reserved: bool = False, moved: int | None = None) -> str:
    """Count lines one by one; or those that `moved` alone, each as so many (ix_measure_line_moved)."""
    source = wanted.source(values, only_reserved=only_reserved)
    which = "" if moved is None else " and l.moved"
    return f"select {columns}, {moved or 1} as lines from {source} where {wanted.where('l', values)}{which}"


def _starts(from_on: date, to_on: date, months: int) -> list[date]:
    """Give the first days of the months or quarters of a period, the one in which it begins too."""
    first = from_on.year * 12 + (from_on.month - 1) // months * months
    last = to_on.year * 12 + to_on.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(first, last + 1, months)]


def _name(group: str, on: date) -> str:
    return f"{on:%Y-%m}" if group == "month" else f"{on.year}-Q{(on.month + 2) // 3}"


def _counted(row: tuple[Any, ...], names: Mapping[int, Sequence[str]], told: Told | None) -> Counted:
    *group, outcome, lines = row
    for place, listed in names.items():
        group[place] = listed[group[place] - 1]
    # As the column is put together: no part has a blank in it.
    status_7, status_30, reason, *more = outcome.split(" ")
    is_provisional = "provisional" in more
    if told is not None:
        *group, is_open_7, is_open_30 = group
        met_by = next((one.removeprefix("by") for one in more if one.startswith("by")), None)
        status_7, status_30 = as_source_tells(
            told.source, met_by, status_7, status_30, is_open_7=is_open_7, is_open_30=is_open_30, single=bool(told.window_days)
        )
    return Counted(tuple(group), status_7, status_30, reason, lines, is_provisional)


_EVENT = (
    "l.id, l.encounter_id, l.person_id, l.facility_id, l.home_id, l.anchor_on, l.due_7_on, l.due_30_on, l.status_7, l.status_30, l.reason, "
    "l.superseded_by, l.met_7_on, l.met_30_on, "
    "l.met_by, l.contacts_7_on, l.contacts_30_on, l.claims_7_on, l.claims_30_on, "
    "l.age, l.rule_version, l.reasons, l.known_from, l.known_to"
)


async def events(raw: Raw, wanted: LineFilter, *, after: tuple[date, int] | None, limit: int) -> list[Record]:
    """Give the lines behind a rate, by anchor (ix_measure_line_rate)."""
    values: list[Any] = []
    condition = wanted.where("l", values)
    if after is not None:
        values.extend(after)
        condition += f" and (l.anchor_on, l.id) > (${len(values) - 1}::date, ${len(values)}::bigint)"
    values.append(limit)
    bound = len(values)
    source = wanted.source(values)
    rows: list[Record] = await raw.fetch(
        f"select {_EVENT} from {source} where {condition} order by l.anchor_on, l.id limit ${bound}", *values
    )
    return rows


_END = """select l.anchor_on from measure_line l where l.measure = m.measure and l.known_to is null and {whose}{without}
and (l.home_id is not null or not l.of_home) order by l.anchor_on"""
_SPANS = f"""
select m.measure, ({_END} limit 1), ({_END} desc limit 1)
from unnest($1::text[]) as m(measure)
"""


async def spans(
    raw: Raw, measures: Sequence[str], organization_id: UUID | None, without: Collection[int] = ()
) -> dict[str, tuple[date | None, date | None]]:
    """Give the first and the last day that has an event of each measure, for whom it counts (the ends of ix_measure_line_rate)."""
    values: list[Any] = [list(measures)]
    whose, but = "l.organization_id is null", ""
    if organization_id is not None:
        values.append(organization_id)
        whose = "l.organization_id = $2"
    if without:
        values.append(sorted(without))
        but = f" and l.id <> all(${len(values)}::bigint[])"
    rows = await raw.fetch(_SPANS.format(whose=whose, without=but), *values)
    return {measure: (first_on, last_on) for measure, first_on, last_on in (row.values() for row in rows)}
