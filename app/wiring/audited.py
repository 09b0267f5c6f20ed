"""What links and checks the audit chain, built from the settings."""

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.aes_gcm import derive
from adapters.cipher.ed25519 import Ed25519Signer
from app.pipeline.audit_chain import AuditChain
from app.ports import Clock
from app.settings import Settings, read_or_make_secret
from app.wiring import lock_space_of, open_transaction


def chain_signer(settings: Settings) -> Ed25519Signer:
    """Give the signer of the chain: its key is derived from the installation's secret for this purpose alone."""
    return Ed25519Signer(derive(read_or_make_secret(settings), "audit-chain/1"))


def build_audit_chain(settings: Settings, engine: AsyncEngine, *, clock: Clock) -> AuditChain:
    """Build what links, for one worker process."""
    return AuditChain(open_transaction(engine), clock, lock_space_of(settings.network), chain_signer(settings))
