"""Consents of a whole panel as they are sent, and what a pack would do to it as it is shown."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.common import Day, Document, InstantIn, LongText, OrganizationIdText, Request, ShortText
from app.domain.consent import ConsentKind
from app.domain.organization import Organization
from app.domain.panel_consent import PanelPaper, PaperFilter
from app.domain.panel_rehearsal import PanelRehearsal, RehearsedStay
from app.domain.privacy_law import StatePack
from app.domain.public_id import Kind, public_id

_NAMED_MAX = 50_000
PanelKind = Literal[ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.REFUSAL]


class NewPanelConsents(Request):
    """One form that many members signed. Either `all_members`, or whom `member_ids` names."""

    kind: PanelKind
    signed_on: Day
    expires_on: Annotated[date | None, Field(description="The last day on which it holds; left out: none", examples=["2027-03-01"])] = None
    scope: Annotated[LongText, Field(description="Specific and meaningful; travels with what is disclosed (42 CFR 2.32(b))")] = ""
    document_id: Annotated[ShortText | None, Field(description="Where the papers are", examples=["BOX-2026-03"])] = None
    all_members: Annotated[bool, Field(description="Everybody on the panel today or from a later day on")] = False
    member_ids: Annotated[
        tuple[ShortText, ...],
        Field(max_length=_NAMED_MAX, description="As the roster names them: member_id, else medicaid_id, else mrn", examples=[["H-1001"]]),
    ] = ()

    def paper(self) -> PanelPaper:
        """Give the form."""
        return PanelPaper(self.kind, self.signed_on, self.expires_on, self.scope, self.document_id)


class PanelConsentsDocument(Document):
    """What became of it, in members."""

    dry_run: bool
    members: Annotated[int, Field(description="On the panel, and meant")]
    proposed: Annotated[int, Field(description="Of whom it waits until a person of the exchange has looked")]
    active: Annotated[int, Field(description="Of whom it counts at once: a refusal, or where the exchange reviews none")]
    already: Annotated[int, Field(description="Papers that were on file")]
    minors: Annotated[int, Field(description="Too young to have signed on that day: who did is recorded one by one")]
    unknown: Annotated[list[str], Field(description="Named, and not on the panel")]


class PanelConsentReview(Request):
    """What is decided of the papers of a panel that wait. What is left out narrows nothing."""

    decision: Literal["accept", "refuse"]
    note: LongText | None = None
    kind: ConsentKind | None = None
    signed_on: date | None = None
    document_id: ShortText | None = None
    asserted_until: Annotated[InstantIn | None, Field(description="Leave alone what came later than was looked at")] = None

    def wanted(self) -> PaperFilter:
        """Give which are meant."""
        return PaperFilter(self.kind, self.signed_on, self.document_id, self.asserted_until)


class PanelReviewDocument(Document):
    """How many were decided."""

    dry_run: bool
    decided: Annotated[int, Field(description="Of a dry run: how many would be")]


class SilenceReason(Document):
    """Why members would not be told of."""

    reason: str
    members: int


class RehearsedStayDocument(Document):
    """What would become of the members' stays of one sort."""

    rule: Annotated[str, Field(description="The rule that concerns such a stay; 42CFRPart2: one at a Part 2 program")]
    source: Annotated[str, Field(description="What the rule rests on")]
    verified: Annotated[bool, Field(description="Counsel has signed it")]
    told: int
    minimal: Annotated[int, Field(description="Of so many only that they were in the hospital")]
    silent: int
    silent_until_reviewed: Annotated[int, Field(description="Of the silent: their paper waits for review and would let it be told")]
    reasons: list[SilenceReason]


class PanelRehearsalDocument(Document):
    """What a pack would do to a panel, by what its members have signed."""

    organization_id: OrganizationIdText
    privacy_pack: str | None
    version: str | None
    verified: Annotated[bool, Field(description="Counsel has signed every rule of the pack")]
    members: int
    silent: Annotated[int, Field(description="Members of whom there would be silence about at least one of these stays")]
    stays: list[RehearsedStayDocument]


def panel_rehearsal_json(owner: Organization, pack: StatePack | None, found: PanelRehearsal) -> dict[str, Any]:
    """Show what a pack would do."""
    return {
        "organization_id": public_id(Kind.ORGANIZATION, owner.id),
        "privacy_pack": pack.id if pack is not None else None,
        "version": pack.version if pack is not None else None,
        "verified": pack is not None and pack.is_verified,
        "members": found.members,
        "silent": found.silent,
        "stays": [_stay(one) for one in found.stays],
    }


def _stay(one: RehearsedStay) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "source": one.source,
        "verified": one.is_verified,
        "told": one.told,
        "minimal": one.minimal,
        "silent": one.silent,
        "silent_until_reviewed": one.silent_until_reviewed,
        "reasons": [{"reason": reason, "members": count} for reason, count in one.reasons.most_common()],
    }
