"""From received to told: `work` says which messages and what when one fails, `rooms` what they mean, `report` and `rehearse` the rest."""

from app.pipeline.in_hand import in_hand
from app.pipeline.rooms import OpenTransaction, Rooms, Worked
from app.pipeline.work import BatchFailedError, Pipeline

__all__ = ["BatchFailedError", "OpenTransaction", "Pipeline", "Rooms", "Worked", "in_hand"]
