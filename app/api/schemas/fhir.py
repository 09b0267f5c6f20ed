"""What `/fhir` answers, as far as the contract describes it: FHIR's own schemas are HL7's to publish."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.common import Document


class IssueDocument(Document):
    """One thing to say about a request."""

    severity: Literal["fatal", "error", "warning", "information"]
    code: Annotated[str, Field(description="FHIR issue-type", examples=["required"])]
    details: Annotated[
        dict[str, Any] | None, Field(description="A CodeableConcept: HL7 table 0357 for what is about the message, else a text")
    ] = None
    diagnostics: Annotated[str | None, Field(description="What was expected, and what to do. Never repeats what was sent.")] = None
    expression: Annotated[
        list[str] | None, Field(description="FHIRPath of the place", examples=[["Bundle.entry[1].resource.class.code"]])
    ] = None


class OperationOutcomeDocument(Document):
    """FHIR R4 OperationOutcome."""

    resourceType: Literal["OperationOutcome"]  # noqa: N815 -- FHIR's name
    issue: list[IssueDocument]


class CapabilityStatementDocument(Document):
    """FHIR R4 CapabilityStatement, as far as it is filled."""

    resourceType: Literal["CapabilityStatement"]  # noqa: N815 -- FHIR's name
    status: str
    date: str
    kind: str
    fhirVersion: Annotated[str, Field(examples=["4.0.1"])]  # noqa: N815 -- FHIR's name
    format: list[str]
    name: str
    title: str
    publisher: str
    description: str
    instantiates: list[str]
    implementationGuide: list[str]  # noqa: N815 -- FHIR's name
    software: dict[str, Any]
    implementation: dict[str, Any]
    rest: list[dict[str, Any]]
    messaging: list[dict[str, Any]]
