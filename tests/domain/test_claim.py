"""Which versions of claims stand, and which of a claim and a contact are one visit."""

from dataclasses import replace
from datetime import date
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.provider_csv import BadRow, NoRegistryError, ProviderRow, read_providers
from app.domain.claim import ClaimLine, services_of, standing_lines
from app.domain.claim_row import ADJUSTMENT_MAX, ClaimFileReader, ClaimRow
from app.domain.provider import TaxonomySpan
from app.domain.roster import RawRow
from app.domain.service import Ground, Service, service_of
from tests.domain.follow_up_builders import EASTERN, make_contact, make_stay
from tests.domain.measure_builders import LATER, statuses
from tests.domain.test_measure import MET, make_visit

PLAN, OTHER = UUID(int=1), UUID(int=2)
ON = date(2026, 3, 9)
LINE = ClaimLine(organization_id=PLAN, claim_id="C", line="1", service_on=ON)


def line(number: str = "1", adjustment: int = 0, *, reversal: bool = False) -> ClaimLine:
    return replace(LINE, line=number, adjustment=adjustment, is_reversal=reversal)


@pytest.mark.parametrize(
    ("what", "versions", "stands"),
    [
        ("as sent", [line()], ["0:1"]),
        ("reversed", [line(), line("", 1, reversal=True)], []),
        ("reversed under its own number, as pharmacies do", [line(), line("", reversal=True)], []),
        ("replaced", [line(), line("1", 1)], ["1:1"]),
        ("replaced with fewer lines", [line(), line("2"), line("1", 1)], ["1:1"]),
        ("reversed and sent again", [line(), line("", 1, reversal=True), line("1", 2)], ["2:1"]),
        ("one line reversed", [line(), line("2"), line("2", 1, reversal=True)], ["0:1"]),
        ("of another owner", [line(), replace(line("", 1, reversal=True), organization_id=OTHER)], ["0:1"]),
    ],
)
def test_what_stands_whatever_the_order(what: str, versions: list[ClaimLine], stands: list[str]) -> None:
    for order in permutations(versions):
        assert [f"{one.adjustment}:{one.line}" for one in standing_lines(order)] == stands, what


@given(
    st.lists(
        st.builds(line, st.sampled_from(["", "1", "2"]), st.integers(0, 3), reversal=st.booleans()),
        unique_by=lambda one: (one.line, one.adjustment),
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_of_versions_ends_in_the_same_lines(versions: list[ClaimLine], order: object) -> None:
    shuffled = list(versions)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    told = [sorted((one.line, one.adjustment) for one in standing_lines(some)) for some in (versions, shuffled, [*versions, *shuffled])]
    assert told[0] == told[1] == sorted(set(told[2]))


def test_kinds_of_providers_hold_by_the_day() -> None:
    spans = {"1234567893": [TaxonomySpan("103TC0700X", date(2026, 1, 1), ON)]}
    (late,) = services_of([replace(LINE, npi="1234567893")], spans)
    (early,) = services_of([replace(LINE, npi="1234567893", service_on=date(2026, 3, 8))], spans)
    assert (late.taxonomies, late.is_provider_unresolved) == ((), True)
    assert (early.taxonomies, early.is_provider_unresolved) == (("103TC0700X",), False)


PSYCHOLOGIST, FAMILY = "103TC0700X", "207Q00000X"


@pytest.mark.parametrize(
    ("what", "npi", "stated", "registry", "met", "told"),
    [
        ("the registry knows better", "1234567893", (PSYCHOLOGIST,), {"1234567893": [TaxonomySpan(FAMILY)]}, False, "not_qualifying"),
        ("the registry says the same", "1234567893", (PSYCHOLOGIST,), {"1234567893": [TaxonomySpan(PSYCHOLOGIST)]}, True, ""),
        ("the registry alone says it", "1234567893", (), {"1234567893": [TaxonomySpan(PSYCHOLOGIST)]}, True, ""),
        ("no registry knows", "1234567893", (PSYCHOLOGIST,), {}, True, "provider_stated"),
        ("nobody is named", None, (PSYCHOLOGIST,), {}, True, "provider_stated"),
        ("nobody says it", "1234567893", (), {}, False, "provider_unresolved: 1"),
    ],
)
def test_what_kind_of_provider_a_numerator_rests_on_is_the_registrys_word_or_told(
    what: str, npi: str | None, stated: tuple[str, ...], registry: dict[str, list[TaxonomySpan]], met: bool, told: str
) -> None:
    claim = replace(LINE, service_on=date(2025, 3, 12), visit_codes=("99213",), diagnoses=("Z0000",), npi=npi, taxonomies=stated)
    contact = make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["Z00.00"], taxonomies=stated)
    seen = service_of(replace(contact, npi=npi), EASTERN, registry)
    assert seen is not None
    for services in (services_of([claim], registry), [seen], [seen, *services_of([claim], registry)]):
        found = statuses(make_stay("A", admitted="2025-03-01", discharged="2025-03-10"), services=services)["FUH"]
        assert (found.status_7 is MET, any(one.startswith(told or "provider") for one in found.reasons)) == (met, bool(told)), what


@pytest.mark.parametrize(
    ("what", "contact", "claim", "same"),
    [
        ("one performer", {"npi": "1", "visit_codes": ("90834",)}, {"npi": "1", "visit_codes": ("90837",)}, True),
        ("two performers", {"npi": "1", "visit_codes": ("90834",)}, {"npi": "2", "visit_codes": ("90834",)}, False),
        ("one code", {"visit_codes": ("90834-95",)}, {"npi": "2", "visit_codes": ("90834",)}, True),
        ("two codes", {"visit_codes": ("90834",)}, {"visit_codes": ("99213",)}, False),
        ("an uncoded contact", {"live_visit": True}, {"visit_codes": ("99213",)}, True),
        ("another day", {"on": date(2026, 3, 10)}, {}, False),
        ("a dispensing", {}, {"ndc": "12496120203"}, False),
    ],
)
def test_when_a_claim_and_a_contact_are_one_visit(what: str, contact: dict[str, object], claim: dict[str, object], same: bool) -> None:
    one, other = Service(id="a", **{"on": ON, **contact}), Service(id="b", ground=Ground.CLAIM, **{"on": ON, **claim})  # type: ignore[arg-type]
    assert one.is_same_visit(other) is other.is_same_visit(one) is same, what


@pytest.mark.parametrize(("ndc", "counts"), [("12496-1202-3", True), ("12496120203", True), ("00071015523", False)])
def test_e10_a_dispensing_by_its_ndc_meets_fua(ndc: str, counts: bool) -> None:
    reader = ClaimFileReader(["member_id", "claim_id", "fill_date", "ndc", "days_supply"], 1, date(2026, 1, 1))
    row = reader.read(RawRow(2, ["P-1", "RX-1", "2025-04-04", ndc, "7"]))
    assert isinstance(row, ClaimRow)
    services = services_of([replace(LINE, service_on=row.service_on, ndc=row.ndc)], {})
    found = statuses(make_visit("E", "2025-04-01", codes=["F11.20"]), services=services, now=LATER)["FUA"]
    assert (found.status_7 is MET) is counts
    assert found.by_ground is not None
    assert found.by_ground[Ground.CONTACT].status_7 is not MET


EXTRACT = ["member_id", "claim_number", "claim_frequency_code", "claim_status", "original_reference_number", "service_from", "hcpcs_code"]


@pytest.mark.parametrize(
    ("frequency", "status", "original", "is_reversal", "adjustment", "replaces"),
    [
        ("1", "Paid", "B", False, 0, None),
        ("1", "1", "", False, 0, None),
        ("1", "Denied", "", True, 0, None),
        ("1", "4", "", True, 0, None),
        ("7", "2", "A", False, 0, "A"),
        ("7", "4", "A", True, 0, "A"),
        ("8", "paid", "A", True, ADJUSTMENT_MAX, "A"),
        ("1", "22", "", True, ADJUSTMENT_MAX, None),
        ("", "", "", False, 0, None),
    ],
)
def test_an_extract_says_by_one_column_what_a_claim_is_and_by_another_what_became_of_it(
    frequency: str, status: str, original: str, is_reversal: bool, adjustment: int, replaces: str | None
) -> None:
    cells = ["P-1", "B", frequency, status, original, "2025-04-04", "90834"]
    row = ClaimFileReader(EXTRACT, 1, date(2026, 1, 1)).read(RawRow(2, cells))
    assert isinstance(row, ClaimRow), row
    assert (row.is_reversal, row.adjustment, row.replaces) == (is_reversal, adjustment, replaces)


def test_a_registry_of_the_form_of_nppes() -> None:
    header = '"NPI","Entity Type Code","Healthcare Provider Taxonomy Code_1","Healthcare Provider Taxonomy Code_2","NPI Deactivation Date"'
    rows = [header, '"1234567893","1","103TC0700X","","05/01/2026"', '"1245319599","2","",""', '"1245319599","2","","",""']
    assert list(read_providers(rows)) == [
        ProviderRow("1234567893", "103TC0700X", date.min, date(2026, 5, 1), "1"),
        BadRow(3, "", "The row has more or fewer cells than the header."),
        ProviderRow("1245319599", "", date.min, None, "2"),
    ]
    with pytest.raises(NoRegistryError):
        list(read_providers(["name,city", "x,y"]))
    (wrong,) = read_providers([header, '"1234567893","1","103TC0700X","","tomorrow"'])
    assert isinstance(wrong, BadRow)
    assert wrong.column == "npi_deactivation_date", "the column that is wrong, as the file has it"
    assert "YYYY-MM-DD" in wrong.why
