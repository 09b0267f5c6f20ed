"""Whether another session of the same database waits for a lock: other tests' sessions are on the same server, and wait too."""


def somebody_waits(kind: str = "") -> str:
    """Write the question; of one kind of lock only (pg_locks.locktype)."""
    of_kind = f"and l.locktype = '{kind}'" if kind else ""
    return (
        "select exists (select from pg_locks l join pg_stat_activity a using (pid) "  # noqa: S608 - the kind is the test's own
        f"where not l.granted and a.datname = current_database() {of_kind})"
    )
