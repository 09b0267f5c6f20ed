"""What supervisors read."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import Document


class HealthDocument(Document):
    """The process runs."""

    status: Annotated[str, Field(examples=["ok"])]
    version: Annotated[str, Field(description="Of the software", examples=["0.1.0"])]


class ReadinessDocument(Document):
    """Whether everything serves, and each part: `ok`, or what is missing."""

    ready: bool
    parts: Annotated[dict[str, str], Field(examples=[{"schema": "ok", "http": "ok", "mllp": "ok", "work": "ok"}])]
