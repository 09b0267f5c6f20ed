"""What autogenerate cannot see of revision 0001: what the registry and the measure ledger say by themselves of every change.

The registry's version number is raised by every change of the registry.

The pipeline reads one number per batch and reads the registry (organizations with their units and practitioners, feeds and their
facilities, preferences, expired panels) anew only when it has changed, so a new home or a corrected Part 2 status counts for the very
next batch. A trigger, because a writer that forgot to raise the number would leave a recipient untold without an error.

What stands in the measure ledger is counted by changes that a trigger notes, for the same reason: a rate of a writer that forgot would be
wrong for good (decision 0013). Lines are never taken away, so there is none for that.
"""

from alembic import op

TABLES = ("organization", "facility_unit", "feed", "feed_facility", "preference", "practitioner", "origin_registration", "agreement")
STANDINGS = "panel_standing"
"""Only a panel that expires or is renewed changes the registry; what is counted of it does not."""

COUNTED = (
    "organization_id, measure, anchor_on, facility_id, home_id, age, sex, race, ethnicity, language, dual_status, geography, outcome, "
    "known_from, known_to"
)
COUNTS = "(home_id IS NOT NULL OR NOT of_home)"
"""Lines of homes that were responsible only later are in no segment: a rate by the home of a later day adds them (measure_rates)."""
SEGMENT_COLUMNS = (
    "day",
    "age",
    "outcome",
    "facility_id",
    "home_id",
    "sex",
    "race",
    "ethnicity",
    "language",
    "dual_status",
    "geography",
    "known_from",
    "known_to",
)

_NOTE_LINES = """
CREATE FUNCTION note_measure_lines() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO measure_change (COUNTED, lines) SELECT COUNTED, 1 FROM added WHERE COUNTS;
    RETURN NULL;
END $$
"""
_NOTE_VERSIONS = """
CREATE FUNCTION note_measure_versions() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO measure_change (COUNTED, lines) SELECT COUNTED, sum(lines) FROM (
        SELECT COUNTED, -1 AS lines FROM before WHERE COUNTS
        UNION ALL SELECT COUNTED, 1 FROM afterwards WHERE COUNTS
    ) AS change GROUP BY COUNTED HAVING sum(lines) <> 0;
    RETURN NULL;
END $$
"""
"""What is put off leaves a difference of nothing, and what is corrected in place one of just that. What ends is one version less that
stands, and one more that stood."""


def upgrade() -> None:
    """Make the functions and the triggers."""
    _note_changes_of_the_registry()
    _note_changes_of_the_ledger()
    for column in SEGMENT_COLUMNS:
        # Beside the row and not compressed: of a segment only the columns that are asked by are read, and as they are.
        op.execute(f"ALTER TABLE measure_segment ALTER COLUMN {column} SET STORAGE EXTERNAL")


def _note_changes_of_the_ledger() -> None:
    op.execute(_NOTE_LINES.replace("COUNTED", COUNTED).replace("COUNTS", COUNTS))
    op.execute(
        "CREATE TRIGGER measure_line_is_counted AFTER INSERT ON measure_line REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_measure_lines()"
    )
    op.execute(_NOTE_VERSIONS.replace("COUNTED", COUNTED).replace("COUNTS", COUNTS))
    op.execute(
        "CREATE TRIGGER measure_line_is_counted_anew AFTER UPDATE ON measure_line "
        "REFERENCING OLD TABLE AS before NEW TABLE AS afterwards FOR EACH STATEMENT EXECUTE FUNCTION note_measure_versions()"
    )


def _note_changes_of_the_registry() -> None:
    op.execute("INSERT INTO registry_version (id, version) VALUES (1, 1)")
    op.execute(
        "CREATE FUNCTION raise_registry_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ "
        "BEGIN UPDATE registry_version SET version = version + 1; RETURN NULL; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_changes_registry AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_registry_version()"
        )
    # However an organization comes to be, the paper under which it was admitted is on file, to be seen and to be ended.
    op.execute(
        "CREATE FUNCTION admit_organization() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ "
        "BEGIN INSERT INTO agreement (id, organization_id, kind, scope, asserted_at, released_at) "
        "VALUES (NEW.id, NEW.id, 'participation', 'Participation in the exchange', NEW.created_at, NEW.created_at); RETURN NULL; END $$"
    )
    op.execute("CREATE TRIGGER organization_is_admitted AFTER INSERT ON organization FOR EACH ROW EXECUTE FUNCTION admit_organization()")
    op.execute(
        f"CREATE TRIGGER {STANDINGS}_changes_registry AFTER INSERT OR DELETE OR UPDATE OF state ON {STANDINGS} "
        "FOR EACH STATEMENT EXECUTE FUNCTION raise_registry_version()"
    )


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TRIGGER measure_line_is_counted ON measure_line")
    op.execute("DROP TRIGGER measure_line_is_counted_anew ON measure_line")
    op.execute("DROP FUNCTION note_measure_lines()")
    op.execute("DROP FUNCTION note_measure_versions()")
    for table in (*TABLES, STANDINGS):
        op.execute(f"DROP TRIGGER {table}_changes_registry ON {table}")
    op.execute("DROP TRIGGER organization_is_admitted ON organization")
    op.execute("DROP FUNCTION admit_organization()")
    op.execute("DROP FUNCTION raise_registry_version()")
