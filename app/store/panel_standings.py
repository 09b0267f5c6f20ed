"""How panels stand: read for whoever may see them, judged and counted in the background. A fixed number of statements, set-wise.

The age of a panel is that of its last upload that was taken, so it is right without anybody looking; stored are only what is set for it,
what was last said about it, and its figures. Not here: the rules (domain/panel_standing), conflicts between panels (panel_conflicts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.domain.panel_standing import AgeLimits, PanelFigures, PanelStanding, PanelState, limits_of
from app.domain.viewer import Viewer
from app.store.raw import Raw

# ix_panel_upload_organization backwards: past dry runs, and uploads of which nothing was taken, to the first that counts.
LAST: Final = """
join lateral (
    select u.id, u.mode, u.uploaded_at, u.summary from panel_upload u
    where u.organization_id = o.id and not u.dry_run and u.summary ->> 'accepted' <> '0' order by u.id desc limit 1
) l on true
left join panel_standing s on s.organization_id = o.id
"""

VISIBLE: Final = """
(o.id = $1 or exists (select from organization_grant g where g.organization_id = o.id and g.grantee_id = $1))
"""

_READ: Final = """
select o.id, o.name, l.uploaded_at, r.uploaded_at as replaced_at, l.id as upload_id, l.mode, (l.summary ->> 'rows')::int as rows,
    (l.summary ->> 'rejected')::int as rejected, s.warn_after_days, s.expire_after_days, s.figures, s.counted_at
from organization o {last}
left join lateral (
    select u.uploaded_at from panel_upload u
    where u.organization_id = o.id and u.mode = 'replace' and not u.dry_run and u.summary ->> 'accepted' <> '0' order by u.id desc limit 1
) r on true
where {visible} and {which}
order by o.id limit {limit}
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher knows of a panel."""

    organization_id: UUID
    time_zone: str
    last_loaded_at: datetime
    upload_id: UUID
    limits: AgeLimits
    state: PanelState
    """As last said."""
    figures_upload_id: UUID | None
    counted_at: datetime | None


async def read_standings(raw: Raw, viewer: Viewer, *, after: UUID | None, limit: int) -> list[PanelStanding]:
    """Give a page of the panels that the viewer may see: organizations of which anything was ever loaded."""
    query = _READ.format(last=LAST, visible=_of(viewer), which="o.id > $2", limit="$3")
    rows = await raw.fetch(query, viewer.organization_id, after or UUID(int=0), limit)
    return [_standing(row) for row in rows]


async def find_standing(raw: Raw, viewer: Viewer, organization_id: UUID) -> PanelStanding | None:
    """Give one; None where nothing was ever loaded, or it is not the viewer's to see."""
    query = _READ.format(last=LAST, visible=_of(viewer), which="o.id = $2", limit="1")
    row = await raw.fetchrow(query, viewer.organization_id, organization_id)
    return None if row is None else _standing(row)


def _of(viewer: Viewer) -> str:
    # The parameter is named in both, so that both are one statement with the same values.
    return "$1::uuid is null" if viewer.is_operator else VISIBLE


async def set_limits(raw: Raw, organization_id: UUID, limits: AgeLimits) -> None:
    """Set after how many days the panel of an organization is ageing and expired."""
    await raw.execute(
        "insert into panel_standing (organization_id, warn_after_days, expire_after_days) values ($1, $2, $3) "
        "on conflict (organization_id) do update set warn_after_days = excluded.warn_after_days, "
        "expire_after_days = excluded.expire_after_days",
        organization_id,
        limits.warn_after_days,
        limits.expire_after_days,
    )


async def watched(raw: Raw) -> list[Watched]:
    """Give every panel: as many rows as organizations have one."""
    rows = await raw.fetch(
        "select o.id, o.time_zone, l.uploaded_at, l.id as upload_id, s.warn_after_days, s.expire_after_days, "
        f"coalesce(s.state, 'fresh') as state, s.figures_upload_id, s.counted_at from organization o {LAST} order by o.id"
    )
    return [
        Watched(
            row["id"],
            row["time_zone"],
            row["uploaded_at"],
            row["upload_id"],
            limits_of(row["warn_after_days"], row["expire_after_days"]),
            PanelState(row["state"]),
            row["figures_upload_id"],
            row["counted_at"],
        )
        for row in rows
    ]


async def save_states(raw: Raw, states: Sequence[tuple[UUID, PanelState]], now: datetime) -> None:
    """Remember what is said about panels from now on."""
    await raw.execute(
        "insert into panel_standing (organization_id, state, state_since) "
        "select t.id, t.state, $3 from unnest($1::uuid[], $2::text[]) as t(id, state) "
        "on conflict (organization_id) do update set state = excluded.state, state_since = excluded.state_since",
        [organization_id for organization_id, _ in states],
        [state.value for _, state in states],
        now,
    )


# One pass over the panel (ix_panel_member_current), one look at the stays of each person (ix_encounter_person). A stay of which the owner
# may not know must not show in a number either (42 CFR 2.13(c)): it counts where its place is no Part 2 program, nothing is registered of
# it and nobody refused, or as a decision to tell.
_FIGURES: Final = """
with held as (
    select m.person_id, m.record_id, m.program, m.role, coalesce(m.row ->> 'phone', m.row ->> 'phone2') is null as has_no_phone
    from panel_member m
    where m.organization_id = $1 and m.retracted_at is null and m.effective_from <= $2 and (m.effective_to is null or m.effective_to > $2)
), people as (
    select person_id, count(*) as claims, bool_and(has_no_phone) as has_no_phone from held group by person_id
), doubled as (
    select distinct person_id from held group by person_id, upper(program), role having count(distinct record_id) > 1
)
select count(*) as members, coalesce(sum(p.claims), 0)::bigint as claims, count(*) filter (where p.has_no_phone) as without_phone,
    (select count(*) from doubled) as possible_duplicates,
    count(*) filter (where not exists (
        select from encounter e left join organization f on f.id = e.facility_id
        where e.person_id = p.person_id and e.source = 'adt' and ((f.part2_status = 'not_program'
            and not exists (select from origin_registration r where r.organization_id = f.id and r.retracted_at is null)
            and not exists (
                select from consent c where c.person_id = p.person_id and c.state = 'active' and c.kind = 'refusal')) or exists (
            select from telling t where t.encounter_id = e.id and t.recipient_id = $1 and t.decision not in ('suppress', 'hold')))
    )) as never_matched
from people p
"""


async def count_figures(raw: Raw, panel: Watched, day: date, now: datetime) -> PanelFigures:
    """Count how good a panel is, and keep it."""
    row = await raw.fetchrow(_FIGURES, panel.organization_id, day)
    counts = dict(row)
    await raw.execute(
        "insert into panel_standing (organization_id, figures, figures_upload_id, counted_at) values ($1, $2::text::jsonb, $3, $4) "
        "on conflict (organization_id) do update set figures = excluded.figures, figures_upload_id = excluded.figures_upload_id, "
        "counted_at = excluded.counted_at",
        panel.organization_id,
        orjson.dumps(counts).decode(),
        panel.upload_id,
        now,
    )
    return PanelFigures(**counts, counted_at=now)


async def sampled(raw: Raw) -> list[tuple[UUID, datetime, str]]:
    """Give, for the metrics, when each panel was last loaded and what was last said of it."""
    rows = await raw.fetch(f"select o.id, l.uploaded_at, coalesce(s.state, 'fresh') from organization o {LAST} order by o.id")
    return [tuple(row.values()) for row in rows]


def _standing(row: Any) -> PanelStanding:  # noqa: ANN401 - a row of _READ
    figures = row["figures"]
    if isinstance(figures, str):
        figures = orjson.loads(figures)
    return PanelStanding(
        organization_id=row["id"],
        organization=row["name"],
        last_loaded_at=row["uploaded_at"],
        last_replaced_at=row["replaced_at"],
        last_upload_id=row["upload_id"],
        last_mode=row["mode"],
        last_rows=row["rows"],
        last_rejected=row["rejected"],
        limits=limits_of(row["warn_after_days"], row["expire_after_days"]),
        figures=None if figures is None else PanelFigures(**figures, counted_at=row["counted_at"]),
    )
