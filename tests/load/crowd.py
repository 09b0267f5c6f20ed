"""Millions of people whom nobody measures: they make the indexes as deep and the blocks as full as those of a state.

Set-based, because two million by the front door would take an hour. Names, birth dates and phones come as often as people have them
(`app/cli/match`); hashes are PostgreSQL's own and not ours, which fills an index in the same way but lets nobody be found by it whom the
traffic is about. Not here: what is measured among them (`scale`).
"""

from typing import Final
from uuid import UUID

import asyncpg

from app.cli.demo.dice import Dice
from app.cli.match.population import Names
from app.standards.matching_rules import weights

NAMES: Final = 20_000
"""Drawn once each for first and last names; who is common is common among them."""
AT_ONCE: Final = 200_000

_POOL: Final = "create temporary table crowd_name (n int primary key, first text, last text)"

_CROWD: Final = f"""
create temporary table crowd as
select g as n, ('01800000-0000-7000-8' || lpad(to_hex(g), 15, '0'))::uuid as id, 'HOSP' || g % 3 as authority, 'C' || g as value,
    upper(f.first) as first, upper(l.last) as last, date '1930-01-01' + abs(hashint4(g)) % 34000 as born,
    case when g % 2 = 0 then 'F' else 'M' end as sex,
    '207-5' || lpad((abs(hashint4(g / 3 + 7)) % 1000000)::text, 6, '0') as phone
from generate_series($1::int, $2::int) g
join crowd_name f on f.n = abs(hashint4(g + 100000007)) % {NAMES}
join crowd_name l on l.n = abs(hashint4(g + 200000033)) % {NAMES}
"""  # noqa: S608 -- a number of ours
"""Three people in a row share a phone, as a household does."""

_FILL: Final = (
    "insert into person (id, created_at) select id, now() from crowd order by id",
    """
insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, match_reasons, updated_at)
select id, 'adt', authority, 'MR', value, id,
    json_build_object('0000', json_build_object('first_name', first, 'last_name', last, 'birth_date', born, 'sex', sex, 'phone', phone)),
    hashtextextended(last || first || born || sex, 0), '[]', now()
from crowd order by id
""",
    """
insert into record_identifier (authority, type, value, record_id)
select authority, 'MR', value, id from crowd union all select '', 'MA', 'C' || value, id from crowd where n % 5 < 2
""",
    """
insert into record_block (key, record_id, who)
select hashtextextended(k.key, 0), c.id, hashtextextended(c.first || c.born, 0)
from crowd c cross join lateral unnest(array[
    'last-born|' || c.last || c.born, 'first-born|' || c.first || c.born, 'names-born|' || c.first || c.last || c.born,
    'names-year|' || c.last || c.first || extract(year from c.born), 'names-day|' || c.last || c.first || to_char(c.born, 'MMDD'),
    'phone-first|' || c.phone || c.first, 'shared|' || c.phone
]) as k(key)
order by 1
""",
    """
insert into record_keys (record_id, keys, shared, who)
select id, array[hashtextextended('last-born|' || last || born, 0)], '{}', hashtextextended(first || born, 0) from crowd order by id
""",
    """
insert into encounter (id, source, facility_id, visit_authority, visit_number, record_id, person_id, status, class, admitted_at,
    discharged_at, discharged_on, behavioral_kind, provisional, mode, state, last_key, version, created_at, updated_at)
select id, 'adt', $1::uuid, authority, value, id, id, 'finished', 'inpatient', now() - interval '2 years', now() - interval '1 year',
    current_date - 365, 'none', false, 'live', '{}', '', 1, now(), now()
from crowd where n % 4 = 0 order by id
""",
    """
insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, row_key, row_hash, row, asserted_at)
select id, $1::uuid, id, id, 'BHH', 'plan', '2026-01-01', decode(md5(value), 'hex'), decode(md5('row' || value), 'hex'),
    json_build_object('last_name', last, 'first_name', first, 'birth_date', born), now()
from crowd where n % 10 < 3 order by id
""",
)


async def fill(owner: asyncpg.Connection, organization: UUID, first: int, last: int) -> None:
    """Add the people from one number to another (not included), and tidy up."""
    if not await owner.fetchval("select to_regclass('pg_temp.crowd_name') is not null"):
        names = Names(weights(), Dice("crowd"))
        await owner.execute(_POOL)
        drawn = [(n, names.first("FM"[n % 2]), names.last()) for n in range(NAMES)]
        await owner.copy_records_to_table("crowd_name", records=drawn)
        await owner.execute("analyze crowd_name")
    for start in range(first, last, AT_ONCE):
        await owner.execute("drop table if exists pg_temp.crowd")
        await owner.execute(_CROWD, start, min(last, start + AT_ONCE) - 1)
        await owner.execute("analyze crowd")
        for statement in _FILL:
            await owner.execute(statement, *([organization] if "$1" in statement else []))
    # Now, and not beside what is measured.
    await owner.execute("vacuum (analyze)")


_MESSAGES: Final = """
with model as (select * from inbound_message order by id desc limit 1000), copied as (
    insert into inbound_message (id, feed_id, organization_id, door, format, received_at, cipher_key_id, body, control_id, trigger,
        content_hash, ack_code, problems, mode)
    select ('01800000-0001-7000-8' || lpad(to_hex($1::int + g * 1000 + m.n), 15, '0'))::uuid, m.feed_id, m.organization_id, m.door,
        m.format, m.received_at - interval '1 year', m.cipher_key_id, m.body, 'C' || $1::int + g * 1000 + m.n,
        m.trigger, sha256(int8send($1::int + g * 1000 + m.n)), m.ack_code, m.problems, m.mode
    from generate_series(0, $2::int / 1000 - 1) g cross join (select *, row_number() over () as n from model) m
    returning id
)
insert into inbound_outcome (message_id, outcome, decided_at) select id, 'processed', now() from copied
"""


async def store_messages(owner: asyncpg.Connection, first: int, count: int) -> None:
    """Add so many stored messages, in thousands: copies of the last thousand under other names."""
    for start in range(0, count, AT_ONCE):
        await owner.execute(_MESSAGES, first + start, min(count - start, AT_ONCE))
