"""The one function from any error to an exit code. Imported when something has failed, because it knows the database's errors."""

from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from adapters.postgresql.errors import EmbeddedPostgresError
from app.cli.exits import CommandError, ExitCode, unavailable, usage
from app.settings import Settings, SettingsError, load_settings
from app.standards.toml_table import StandardsError
from app.store.failures import is_unavailable

_DATABASE_REMEDIES: Final = {
    "ConnectionRefusedError": "Start PostgreSQL there, or correct host and port in HANDOFF_DATABASE_URL.",
    "gaierror": "No machine is known by this name: correct the host in HANDOFF_DATABASE_URL.",
    "TimeoutError": "Nothing answers: look at the network and its firewalls, or correct host and port in HANDOFF_DATABASE_URL.",
    "InvalidPasswordError": "Correct user and password in HANDOFF_DATABASE_URL, or let pg_hba.conf admit this machine.",
    "InvalidAuthorizationSpecificationError": "Correct the user in HANDOFF_DATABASE_URL, or let pg_hba.conf admit this machine.",
    "InvalidCatalogNameError": "Make the database (`createdb`), or correct its name in HANDOFF_DATABASE_URL.",
}

STANDARDS_REMEDY: Final = (
    "Correct the file as it says, or restore that of this release; a folder of HANDOFF_STANDARDS_DIR stands in place of the whole one"
    " of its name in app/standards: copy that one, and change the copy."
)


def command_error_of(error: Exception) -> CommandError:
    """Turn any error into one with an exit code and a remedy. The only place where that is decided."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, SettingsError):
        return usage(str(error), "Correct the settings; `handoff config show` lists them all.")
    if isinstance(error, StandardsError):
        return usage(str(error), STANDARDS_REMEDY)
    if isinstance(error, EmbeddedPostgresError):
        return unavailable(str(error), "`handoff doctor` looks at the embedded database.")
    if is_unavailable(error):
        settings = None
        with suppress(SettingsError):
            settings = load_settings()
        place, remedy = database_trouble(error, settings)
        return unavailable(f"The database{place and f' at {place}'} cannot be used now ({type(error).__name__}).", remedy)
    return CommandError(ExitCode.DEFECT, f"Unexpected: {type(error).__name__}.", "This is a defect; please report it with the place below.")


def database_trouble(error: Exception, settings: Settings | None) -> tuple[str, str]:
    """Give the place of a database of somebody else, never more of its address than host, port and name, and what to do; or no place."""
    if settings is None or settings.database_url is None:
        return "", "Check that it runs and that HANDOFF_DATABASE_URL is right; `handoff doctor` says more."
    address = urlsplit(settings.database_url.get_secret_value())
    place = f"{address.hostname or 'its socket'}{f':{address.port}' if address.port else ''}{address.path}"
    return place, _DATABASE_REMEDIES.get(
        type(error).__name__, "See that it runs, what its log says, and that HANDOFF_DATABASE_URL is right."
    )
