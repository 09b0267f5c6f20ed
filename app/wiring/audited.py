"""What links and checks the audit chain, built from the settings."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.aes_gcm import derive
from adapters.cipher.ed25519 import Ed25519Signer
from app.api.services import ReadAudit
from app.domain.audit import AuditLine
from app.domain.viewer import Viewer
from app.pipeline import OpenTransaction
from app.pipeline.audit_chain import AuditChain
from app.ports import Clock
from app.settings import Settings, read_or_make_secret
from app.store.audit_reads import AuditFilter, read_lines
from app.wiring import lock_space_of, open_transaction


def chain_signer(settings: Settings) -> Ed25519Signer:
    """Give the signer of the chain: its key is derived from the installation's secret for this purpose alone."""
    return Ed25519Signer(derive(read_or_make_secret(settings), "audit-chain/1"))


def build_audit_chain(settings: Settings, engine: AsyncEngine, *, clock: Clock) -> AuditChain:
    """Build what links, for one worker process."""
    return AuditChain(open_transaction(engine), clock, lock_space_of(settings.network), chain_signer(settings))


def audit_reader(transaction: OpenTransaction) -> ReadAudit:
    """Give what reads the audit for a viewer (store/audit_reads says why not under the policy)."""

    async def read(viewer: Viewer, wanted: AuditFilter, before: UUID | None, limit: int) -> list[AuditLine]:
        async with transaction() as raw:
            return await read_lines(raw, viewer, wanted, before=before, limit=limit)

    return read
