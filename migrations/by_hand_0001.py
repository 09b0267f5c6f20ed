"""What autogenerate cannot see of revision 0001: the registry's version number, raised by every change of the registry.

The pipeline reads one number per batch and reads the registry (organizations with their units and practitioners, feeds and their
facilities, preferences, expired panels) anew only when it has changed, so a new home or a corrected Part 2 status counts for the very
next batch. A trigger, because a writer that forgot to raise the number would leave a recipient untold without an error.
"""

from alembic import op

TABLES = ("organization", "facility_unit", "feed", "feed_facility", "preference", "practitioner", "origin_registration", "agreement")
STANDINGS = "panel_standing"
"""Only a panel that expires or is renewed changes the registry; what is counted of it does not."""


def upgrade() -> None:
    """Make the function and the triggers."""
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
    for table in (*TABLES, STANDINGS):
        op.execute(f"DROP TRIGGER {table}_changes_registry ON {table}")
    op.execute("DROP TRIGGER organization_is_admitted ON organization")
    op.execute("DROP FUNCTION admit_organization()")
    op.execute("DROP FUNCTION raise_registry_version()")
