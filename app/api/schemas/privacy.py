"""What travels with every disclosure: security labels, notices, and the scope of the consent it rests on."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import Document


class LabelDocument(Document):
    """A security label as FHIR spells it in meta.security (HL7 DS4P)."""

    system: Annotated[str, Field(examples=["http://terminology.hl7.org/CodeSystem/v3-Confidentiality"])]
    code: Annotated[str, Field(examples=["R"])]


class Labelled(Document):
    """Something that is disclosed, with its labels."""

    labels: Annotated[list[LabelDocument] | None, Field(description="How confidential it is, and by which law")] = None
    consent_scope: Annotated[
        str | None, Field(description="What the consent lets go that the disclosure rests on (42 CFR 2.32(b)); null: it rests on none")
    ] = None


class NoticeDocument(Document):
    """A text that accompanies a disclosure."""

    code: Annotated[str, Field(examples=["42CFR2.32(a)(1)"])]
    version: Annotated[str | None, Field(examples=["2024"])] = None
    text: str


class Noticed(Labelled):
    """The same with the notices that accompany it."""

    notices: Annotated[list[NoticeDocument] | None, Field(description="Legal notices that travel with it (42 CFR 2.32)")] = None
