"""What a feed's profile changes about reading: where the visit number lives, segments of the sender's own, facility codes."""

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, EncounterClass, Identifier
from app.domain.feed import FACILITY_PLACES, FeedProfile
from tests.adapters.hl7v2.support import EVN, PID, discharge, er7, feed, msh, segment

READER = Hl7v2Reader()


def read(body: bytes, profile: FeedProfile) -> AdtEvent:
    event = READER.read(body, feed(profile=profile))
    assert isinstance(event, AdtEvent), event
    return event


def number_of(body: bytes, *places: str) -> Identifier | None:
    visit = read(body, FeedProfile(visit_number_places=places) if places else FeedProfile()).visit
    assert visit is not None
    return visit.visit_number


def test_the_visit_number_lives_where_the_profile_says() -> None:
    body = discharge("ZVN|x|ZZ77^^^ZZOWN|ZZ78")
    assert number_of(body) == Identifier("ZZHOSP", "VN", "ZZV1")
    assert number_of(body, "ZVN-2", "PV1-19") == Identifier("ZZOWN", "VN", "ZZ77")
    assert number_of(body, "ZVN-3.1") == Identifier("ZZHOSP", "VN", "ZZ78")
    assert number_of(body, "ZVN-9", "ZXX-1", "PV1-19") == Identifier("ZZHOSP", "VN", "ZZV1")
    assert number_of(body, "PV1-50") is None


def test_a_segment_of_the_senders_own_wins_over_the_standard_field_where_it_says_something() -> None:
    profile = FeedProfile(
        local_reads={"disposition": "ZPV-1", "class": "ZPV-2.2", "unit": "ZPV-3", "admit_reason": "ZPV-4", "hospital_service": "ZPV-5"},
        disposition_map={"HOSPICE": "50"},
        class_map={"OBS": "observation"},
    )
    visit = read(discharge('ZPV|hospice|x^OBS||Low mood|""'), profile).visit
    assert visit is not None
    assert (visit.disposition, visit.encounter_class, visit.admit_reason) == ("50", EncounterClass.OBSERVATION, "Low mood")
    assert visit.unit == "ZZ3W"
    without = read(discharge(), profile).visit
    assert without is not None
    assert (without.disposition, without.encounter_class) == ("01", EncounterClass.INPATIENT)


def test_a_patient_type_and_a_medicaid_number_may_come_from_there_too() -> None:
    profile = FeedProfile(local_reads={"patient_type": "ZPV-1", "medicaid_id": "ZPV-2.1.2"}, observation_patient_types=frozenset({"OBSV"}))
    event = read(discharge("ZPV|obsv|x&ZZMC1"), profile)
    assert event.visit is not None
    assert event.visit.encounter_class is EncounterClass.OBSERVATION
    assert Identifier("ZZHOSP", "MA", "ZZMC1") in event.identifiers


def test_facility_codes_are_read_in_every_spelling_from_every_place() -> None:
    evn = segment("EVN", f1="A03", f2="20260105142500", f7="ZZEAST^1.2.3^ISO")
    pv1 = segment("PV1", f1="1", f2="I", f3="ZZ3W^301^A^&4.5.6&ISO", f39="ZZ39")
    codes = READER.facilities(discharge(evn=evn, pv1=pv1), feed(profile=FeedProfile(facility_places=(*FACILITY_PLACES, "ZZZ-1"))))
    assert codes == {"MSH-4": ("ZZHOSP",), "EVN-7": ("ZZEAST", "1.2.3"), "PV1-3.4": ("4.5.6",), "PV1-39": ("ZZ39",), "ZZZ-1": ()}


def test_what_cannot_be_cut_names_no_facility() -> None:
    assert READER.facilities(b"nonsense", feed(profile=FeedProfile(facility_places=FACILITY_PLACES))) == {}


def test_where_the_account_is_not_the_number_of_the_stay_it_stands_beside_it() -> None:
    body = discharge("ZVN|ZZ77", pid=PID + "||||||||||ZZACC1")
    account = Identifier("ZZHOSP", "AN", "ZZACC1")

    def numbers(*places: str) -> tuple[Identifier | None, Identifier | None]:
        visit = read(body, FeedProfile(visit_number_places=places)).visit
        assert visit is not None
        return visit.visit_number, visit.account

    assert numbers("ZVN-1") == (Identifier("ZZHOSP", "VN", "ZZ77"), account)
    assert numbers("PID-18", "PV1-19") == (account, None)
    assert numbers("PV1-50") == (None, account)


def test_of_two_patients_each_has_the_sender_s_own_segments_that_stand_with_them() -> None:
    profile = FeedProfile(visit_number_places=("ZVN-1",), local_reads={"unit": "ZVN-2", "patient_number": "ZVN-3", "facility": "ZZZ-1"})
    pv1 = segment("PV1", f1="1", f2="I", f3="ZZ3W^301^A^ZZHOSP")
    first, second = (segment("ZVN", f1=f"ZZ{n}", f2=f"ZZU{n}", f3=f"ZZP{n}") for n in (1, 2))
    nameless = segment("PID", f1="1", f5="ZZTEST^ALPHA")
    event = read(er7(msh("A17"), EVN, "ZZZ|ZZEAST", nameless, pv1, first, PID, pv1, second), profile)
    seen = [(one.identifiers[-1].value, one.visit.visit_number, one.visit.unit, one.visit.facility) for one in event.all if one.visit]
    assert seen == [(f"ZZP{n}", Identifier("ZZHOSP", "VN", f"ZZ{n}"), f"ZZU{n}", "ZZEAST") for n in (1, 2)]


def test_a_merge_names_who_goes_on_by_a_number_of_the_sender_s_own() -> None:
    event = read(
        er7(msh("A40"), EVN, segment("PID", f1="1"), "ZPD|ZZ200", "MRG|ZZ100"), FeedProfile(local_reads={"patient_number": "ZPD-1"})
    )
    assert [one.value for one in (*event.identifiers, *event.prior_identifiers)] == ["ZZ200", "ZZ100"]
