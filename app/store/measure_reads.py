"""The measure ledger: what is asked of it, and the events behind a rate, now or as they were known at an instant.

Row-level security asks again who may see which line. One statement each. Not here: rates themselves (measure_rates), and which lines may
not be read any more (measure_rights).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from app.domain.commit_order import Between
from app.domain.measure import LONG_DAYS, SHORT_DAYS, EvidenceSource
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
            return "measure_line"
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
        return f"(select {_OTHERS}, {shown} as home_id, false as of_home from measure_line m where {' and '.join(parts)})"

    def of_organizations(self, alias: str, values: list[Any]) -> str:
        """Give the condition of for whom lines count, and add its value."""
        # `is not distinct from` would not be looked up in the index.
        if not self.organizations:
            return f"{alias}.organization_id is null"
        if len(self.organizations) == 1:
            # Said as one, the order of the index is an order of the whole, and nothing has to be hashed.
            values.append(self.organizations[0])
            return f"{alias}.organization_id = ${len(values)}"
        values.append(list(self.organizations))
        return f"{alias}.organization_id = any(${len(values)}::uuid[])"

    def whose(self, alias: str, values: list[Any]) -> str:
        """Give the condition of the measure, the period and for whom lines count, which begins every other, and add its values."""
        values += [self.measure, self.from_on, self.to_on]
        first = len(values) - 2
        period = f"{alias}.anchor_on between ${first + 1} and ${first + 2}"
        return f"{alias}.measure = ${first} and {period} and {self.of_organizations(alias, values)}"

    def where(self, alias: str, values: list[Any], *, of_lines: bool = True) -> str:
        """Give the condition, and add its values. Not `of_lines`: of what only tells how many lines there are."""
        home = _HOME_AT[self.home_days].replace("m.", "n.")
        parts = [self.whose(alias, values)]

        def also(condition: str, value: object) -> None:
            if value is not None:
                values.append(value)
                parts.append(condition.format(f"${len(values)}"))

        if of_lines:
            # A home counts what was its own on the day.
            parts.append(f"({alias}.home_id is not null or not {alias}.of_home)")
        if self.known_at is None and self.changed_since is None and self.committed is None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """By whose evidence lines are counted, and as of which day windows are open."""

    source: EvidenceSource
    today: date
    window_days: int
    """The only window of the measure; 0: the 7 and the 30 days."""

    @property
    def opens_on(self) -> tuple[date, date]:
        """The first anchors whose windows are open: those of measures that services decide begin with the anchor."""
        return self.today - timedelta(days=self.window_days or SHORT_DAYS), self.today - timedelta(days=LONG_DAYS)


GROUPS: Final = {
    "home": "home_id",
    "facility": "facility_id",
    "month": "anchor_on",
    "quarter": "anchor_on",
    "age_band": "age",
    "sex": "sex",
    "race": "race",
    "ethnicity": "ethnicity",
    "language": "language",
    "dual_status": "dual_status",
    "geography": "geography",
    "payer": "organization_id",
}
"""What rates can be asked by -> the column that tells it."""

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
        f"select {_EVENT} from {source} l where {condition} order by l.anchor_on, l.id limit ${bound}", *values
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
