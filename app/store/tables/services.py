"""Services that encounter and pharmacy files tell of, in all versions, and what kind of provider rendered them."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Table, Text

from app.store.tables.base import Bytes, Document, Id, Instant, Texts, metadata

service_upload = Table(
    "service_upload",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, index=True),
    Column("file_name", Text, nullable=False),
    Column("file_hash", Bytes, nullable=False, comment="SHA-256"),
    Column("uploaded_at", Instant, nullable=False),
    Column("summary", Document, nullable=False, comment="counts, by what became of the rows"),
)

# No foreign keys but by meaning: their checks would cost a look-up a row, and nothing is deleted.
service = Table(
    "service",
    metadata,
    Column("organization_id", Id, primary_key=True, comment="the plan or agency that loaded it"),
    Column("claim_id", Text, primary_key=True),
    Column("line", Text, primary_key=True, comment="of a reversal empty: the whole claim"),
    Column(
        "adjustment",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="a higher one corrects a lower one; 999999999 takes the claim back for good",
    ),
    Column("is_reversal", Boolean, primary_key=True, autoincrement=False),
    Column("person_id", Id, nullable=False),
    Column("record_id", Id, nullable=False, index=True, comment="the member's record, by the owner's panel"),
    Column("service_on", Date, comment="when it was given: the first of the two times"),
    Column("visit_codes", Texts, nullable=False),
    Column("diagnoses", Texts, nullable=False),
    Column("place_of_service", Text),
    Column("npi", Text, comment="who rendered it"),
    Column("taxonomies", Texts, nullable=False, comment="as sent"),
    Column("ndc", Text, comment="eleven digits"),
    Column("days_supply", Integer),
    Column("admitted_on", Date),
    Column("discharged_on", Date, comment="of inpatient claims, for reconciliation"),
    Column("row_hash", Bytes, nullable=False, comment="of what the row says: the same row again is the same version"),
    Column("upload_id", Id, nullable=False, comment="provenance: the file"),
    Column("row", Integer, nullable=False, comment="provenance: its line"),
    Column("known_from", Instant, nullable=False, comment="when we learned it: the second of the two times"),
    comment="Versions are only added; which of them stands follows from their numbers (domain/claim), never from the order of loading.",
)
# What measures ask of the people of a batch.
Index("ix_service_person", service.c.person_id)
# Reconciliation: the discharges of an owner's claims in a period.
Index(
    "ix_service_discharge",
    service.c.organization_id,
    service.c.discharged_on,
    postgresql_where=service.c.discharged_on.is_not(None),
)

provider_taxonomy = Table(
    "provider_taxonomy",
    metadata,
    Column("npi", Text, primary_key=True),
    Column("taxonomy", Text, primary_key=True, comment="NUCC; empty where the registry knows the NPI and no kind"),
    Column("effective_from", Date, primary_key=True, comment="0001-01-01: always"),
    Column("effective_to", Date, comment="exclusive; null: open"),
    Column("entity", Text, nullable=False, comment="1 individual, 2 organization"),
    Column("loaded_at", Instant, nullable=False),
    comment="Public registry data, of the form of NPPES. No patient data.",
)
