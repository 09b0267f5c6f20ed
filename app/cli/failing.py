"""The one function from any error to an exit code. Imported when something has failed, because it knows the database's errors."""

from adapters.postgresql.errors import EmbeddedPostgresError
from app.cli.exits import CommandError, ExitCode, unavailable, usage
from app.settings import SettingsError
from app.standards.toml_table import StandardsError
from app.store.failures import is_unavailable


def command_error_of(error: Exception) -> CommandError:
    """Turn any error into one with an exit code and a remedy. The only place where that is decided."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, SettingsError):
        return usage(str(error), "Correct the settings; `handoff config show` lists them all.")
    if isinstance(error, StandardsError):
        return usage(str(error), "Correct the file as it says, or restore that of this release.")
    if isinstance(error, EmbeddedPostgresError):
        return unavailable(str(error), "`handoff doctor` looks at the embedded database.")
    if is_unavailable(error):
        return unavailable(
            f"The database cannot be used now ({type(error).__name__}).",
            "Check that it runs and that HANDOFF_DATABASE_URL is right; `handoff doctor` says more.",
        )
    return CommandError(ExitCode.DEFECT, f"Unexpected: {type(error).__name__}.", "This is a defect; please report it with the place below.")
