"""The one MetaData and the column types that all tables share."""

from sqlalchemy import JSON, BigInteger, Column, DateTime, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = DateTime(timezone=True)
"""timestamptz; always written in UTC by us, never by a column default (the clock is injected)."""

Id = Uuid(as_uuid=True)
Texts = ARRAY(Text)
Bytes = BYTEA()
Document = JSONB(none_as_null=True)
"""For what is looked into by SQL or by operators."""
Payload = JSON(none_as_null=True)
"""For what is only stored and given back whole: the `json` type keeps the text and costs less to write than jsonb."""


def written_by() -> Column[int]:
    """Give the column with the number of the transaction that wrote a row, which says when it can be seen (store/commits, audit_chain).

    An update that changes what is shown writes it with `xid = default`.

    64 bits, so it never wraps; bigint, because xid8 has neither arithmetic nor an ordering that drivers know.
    """
    return Column("xid", BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint"))
