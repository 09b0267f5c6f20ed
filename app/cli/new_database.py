"""What is said before a private database is made: from another folder, or by a misspelt HANDOFF_DATA_DIR, all that was there seems gone.

Light on purpose: `serve` says it too, whose supervisor lives as long as the service. Not here: making it (adapters/postgresql).
"""

from adapters.postgresql.embedded import EmbeddedPostgres
from app.cli.output import Output
from app.settings import Settings


def say_if_new(settings: Settings, output: Output) -> None:
    """Tell a person where a private database is about to be made; nothing where there is one, or somebody else's is used."""
    if settings.database_url is None and not EmbeddedPostgres(settings.data_dir).is_made:
        output.say(f"A new private database is made in {settings.data_dir.absolute()}; HANDOFF_DATA_DIR names another.")
