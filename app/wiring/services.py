"""What encounter and pharmacy files are loaded with, by whichever way they come: HTTP, a command."""

from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.files.roster_csv import RosterCsv
from app.actions.load_services import ServiceLoading
from app.domain.claim_row import recognised
from app.ports import Ids
from app.settings import Settings
from app.store.service_stage import open_service_stage

_REMEDY: Final = "Begin the file with a header of column names: member_id, claim_id, service_date, procedure_code and others."


def service_loading(settings: Settings, engine: AsyncEngine, ids: Ids) -> ServiceLoading:
    """Give what loads services, with the engine of the work role."""
    return ServiceLoading(
        open_stage=partial(open_service_stage, engine),
        open_reader=partial(RosterCsv, recognised, _REMEDY),
        ids=ids,
        file_bytes_max=settings.roster_bytes_max,
    )
