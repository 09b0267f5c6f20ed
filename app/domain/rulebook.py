"""The rules of a deployment that are data, gathered: what wiring loads once and the pipeline hands to the pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.behavioral import BehavioralKind
from app.domain.diagnosis import DiagnosisRules
from app.domain.follow_up import Calendars
from app.domain.measure import MeasureCatalog
from app.domain.precedence import Precedence
from app.domain.privacy_law import NO_LAW, PrivacyLaw
from app.domain.program import ProgramCatalog
from app.domain.stay import DispositionTable


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Value sets, programs, measures, calendars and code meanings. Loaded and validated by `app.standards`."""

    diagnoses: DiagnosisRules
    dispositions: DispositionTable
    hospital_services: Mapping[str, BehavioralKind]
    """What PV1-10 values mean, by upper-case value."""
    programs: ProgramCatalog
    calendars: Calendars
    measures: MeasureCatalog
    precedence: Precedence
    """Which claim counts before which, and where messages name practitioners."""
    privacy: PrivacyLaw = NO_LAW
    """Notices and state packs."""
