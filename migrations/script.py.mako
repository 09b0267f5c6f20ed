"""${message}.

Why: say what needs it.
Phase: expand | backfill | contract (README.md). Locks and duration: name them, and how long on how many rows.
Undo: say how, or that it cannot be undone.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = "${up_revision}"
down_revision = ${'"%s"' % down_revision if down_revision else None}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo the change."""
    ${downgrades if downgrades else "pass"}
