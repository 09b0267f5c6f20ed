"""What rosters are loaded with, by whichever way they come: HTTP, a command, a drop."""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.files.roster_csv import RosterCsv
from app.actions.foresee_people import foresee_people
from app.actions.identify import IdentityMovedError, identify
from app.actions.load_panel import PanelServices
from app.actions.match_records import match_records
from app.domain.panel import UploadLimits
from app.ports import Ids
from app.settings import Settings
from app.standards.definitions import definitions
from app.standards.privacy_rules import privacy_law
from app.store.panel_stage import open_stage


def panel_services(settings: Settings, engine: AsyncEngine, ids: Ids) -> PanelServices:
    """Give what loads rosters, with the engine of the work role."""
    return PanelServices(
        open_stage=partial(open_stage, engine, reviews_consents=privacy_law().review_own_assertions),
        open_reader=RosterCsv,
        identify=identify,
        redo_on=(IdentityMovedError,),
        ids=ids,
        foresee=partial(foresee_people, identify=identify, compare=match_records, redo_on=(IdentityMovedError,), ids=ids),
        limits=UploadLimits(file_bytes_max=settings.roster_bytes_max),
        knows_program=definitions(settings.standards_dir).programs.knows,
    )
