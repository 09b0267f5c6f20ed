"""What can stop the embedded server from running. Each message names the place and the remedy; none holds patient data."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot run here; the text says why and what to do."""
