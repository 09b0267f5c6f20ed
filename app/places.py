"""Where things come in, as the operator writes it in a list: MLLP listeners and drops. Not here: reading the environment (settings)."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.domain.panel import UploadMode
from app.domain.public_id import Kind, read_public_id

SOURCE_NAME = "^[a-z0-9][a-z0-9_.-]{0,59}$"


class Frozen(BaseModel):
    """What is read once and never changed; a field that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ListenerTls(Frozen):
    """TLS of one MLLP listener."""

    certificate_file: Path = Field(description="PEM certificate chain of this listener.")
    key_file: Path = Field(description="PEM private key of the certificate.")
    client_authority_file: Path | None = Field(
        default=None, description="PEM authorities; when set, every client must show a certificate of theirs."
    )


class Listener(Frozen):
    """One more MLLP listener, beside or in place of MLLP_HOST and MLLP_PORT."""

    host: str = Field(description="Address to listen on.")
    port: int = Field(ge=0, le=65535, description="TCP port; 0 takes a free one.")
    name: str = Field(default="", description="Name in logs and metrics; default host:port.")
    tls: ListenerTls | None = Field(default=None, description="Without it the listener speaks plain MLLP.")
    release: int = Field(default=1, ge=1, le=2, description="MLLP release; 2 sends a commit acknowledgement before the HL7 answer.")


class SftpPlace(Frozen):
    """A folder on somebody's SFTP server. Needs the extra `sftp` of the distribution."""

    host: str = Field(min_length=1, description="Name or address of the server.")
    port: int = Field(default=22, ge=1, le=65535, description="TCP port.")
    user: str = Field(min_length=1, description="Account on the server; it must be allowed to rename and write in the folder.")
    folder: str = Field(default=".", min_length=1, description="The drop, as the server names it.")
    known_hosts_file: Path = Field(description="The server's host key, as in OpenSSH's known_hosts.")
    key_file: Path | None = Field(default=None, description="OpenSSH private key without a passphrase.")
    password_file: Path | None = Field(default=None, description="File with the password, for a server that takes no keys.")

    @model_validator(mode="after")
    def _has_credential(self) -> Self:
        if (self.key_file is None) == (self.password_file is None):
            raise ValueError("sftp needs either key_file or password_file")
        return self


class FileSource(Frozen):
    """A drop: a folder into which others put batches of messages, or rosters."""

    name: str = Field(pattern=SOURCE_NAME, description="Name in logs, metrics and results.")
    folder: Path | None = Field(default=None, description="The drop, as a folder on this machine.")
    sftp: SftpPlace | None = Field(default=None, description="The drop, on a server.")
    feed: str | None = Field(default=None, description="The feed of its messages (`feed_…`); without it MSH-3 and MSH-4 name it.")
    panel_of: str | None = Field(default=None, description="When set, its files are rosters of this organization (`org_…`).")
    mode: UploadMode = Field(default=UploadMode.DELTA, description="`delta` or `replace`, for rosters.")
    every_s: float | None = Field(default=None, ge=0.1, le=86_400, description="How often to look; default 1 for a folder, 60 for SFTP.")
    quiet_s: float = Field(default=5.0, ge=0.1, le=86_400, description="How long a file must lie unchanged before it is taken.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.folder is None) == (self.sftp is None):
            raise ValueError("needs either folder or sftp")
        if self.panel_of is not None and self.feed is not None:
            raise ValueError("is either of a feed or the roster of an organization (panel_of), not both")
        if self.panel_of is None and self.mode is not UploadMode.DELTA:
            raise ValueError("mode is for rosters; name the organization in panel_of")
        if self.panel_of is not None and read_public_id(Kind.ORGANIZATION, self.panel_of) is None:
            raise ValueError("panel_of is not the id of an organization; `handoff org list` shows them")
        return self

    @property
    def place(self) -> str:
        """What must not be named twice."""
        sftp = self.sftp
        return f"sftp://{sftp.user}@{sftp.host}:{sftp.port}/{sftp.folder}" if sftp is not None else str(self.folder)


def _distinct(sources: tuple[FileSource, ...]) -> tuple[FileSource, ...]:
    """Refuse a drop that is named twice: two would take each other's files."""
    for what in ("name", "place"):
        known: set[str] = set()
        for source in sources:
            if (said := getattr(source, what)) in known:
                raise ValueError(f"two sources have the {what} {said}")
            known.add(said)
    return sources


FileSources = Annotated[tuple[FileSource, ...], AfterValidator(_distinct)]
