"""Which facility of an aggregator a bundle comes from: every place of a profile, in HL7 v2's words and in FHIR's."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from adapters.hl7v2.reader import Hl7v2Reader
from app.api.strict_json import read_strict_json
from app.domain.feed import FACILITY_PLACES, FHIR_ELEMENTS, FHIR_PLACES, FeedProfile
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import HOUSE, LOCATION, bundle, resource, written
from tests.support.messages import adt

READER = FhirReader(read_strict_json)
NPI = "http://hl7.org/fhir/sid/us-npi"
WEST = "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-0000000000aa"
Json = dict[str, Any]


def admission() -> Json:
    return bundle("A01", "20260302100000-0500", control="F1", facility="NORTH", application="ENGINE")


def codes(document: Json, *places: str) -> dict[str, tuple[str, ...]]:
    return dict(READER.facilities(written(document), replace(SENDER, profile=FeedProfile(facility_places=places or FACILITY_PLACES))))


def west() -> Json:
    numbers = [{"system": "urn:oid:1.2.3", "value": "W9"}, {"system": NPI, "value": "1234567893"}]
    organization = {"resourceType": "Organization", "id": "west", "identifier": numbers, "name": "West", "alias": ["West General"]}
    return {"fullUrl": WEST, "resource": organization}


def test_each_place_is_read_in_every_spelling_npi_first() -> None:
    document = admission()
    document["entry"].append(west())
    resource(document, "MessageHeader").update(sender={"reference": WEST, "display": "The West"}, responsible={"display": "Resp"})
    resource(document, "Location")["managingOrganization"] = {"identifier": {"value": "L7"}, "display": "House of the unit"}
    assert codes(document) == {
        "MSH-4": ("1234567893", "W9", "West", "West General", "The West"),
        "EVN-7": ("Resp",),
        "PV1-3.4": ("L7", "House of the unit"),
        "PV1-39": ("NORTH",),
    }
    assert codes(document, "MSH-3") == {"MSH-3": ("https://engine.example.org/fhir", "ENGINE")}


def test_a_site_or_building_up_the_chain_of_the_location_is_the_facility() -> None:
    document = admission()
    kinds = "http://terminology.hl7.org/CodeSystem/location-physical-type"
    site = {
        "resourceType": "Location",
        "identifier": [{"value": "SITE1"}],
        "name": "East campus",
        "physicalType": {"coding": [{"system": kinds, "code": "si"}]},
        "managingOrganization": {"reference": HOUSE},
    }
    document["entry"].append({"fullUrl": WEST, "resource": site})
    resource(document, "Location")["partOf"] = {"reference": WEST}
    assert codes(document, "PV1-3.4") == {"PV1-3.4": ("SITE1", "East campus", "NORTH")}
    # A ring of locations ends.
    site["partOf"] = {"reference": LOCATION}
    assert codes(document, "PV1-3.4")["PV1-3.4"][0] == "SITE1"


@pytest.mark.parametrize(("field", "element"), list(FHIR_PLACES.items()))
def test_a_field_and_its_element_are_one_place(field: str, element: str) -> None:
    document = admission()
    resource(document, "MessageHeader")["responsible"] = {"reference": HOUSE}
    resource(document, "Location")["managingOrganization"] = {"reference": HOUSE}
    said = codes(document, field, element)
    assert said[field] == said[element] != ()


def test_an_element_is_no_place_in_hl7_v2_and_a_field_without_counterpart_none_in_fhir() -> None:
    profile = FeedProfile(facility_places=(*sorted(FHIR_ELEMENTS), "MSH-4", "ZZZ-1"))
    feed = replace(SENDER, profile=profile)
    er7 = adt("A01", "20260302100000-0500", control="F1", facility="NORTH")
    assert Hl7v2Reader().facilities(er7, feed) == {"MSH-4": ("NORTH",), "ZZZ-1": ()}
    assert READER.facilities(written(admission()), feed)["ZZZ-1"] == ()


def test_the_place_is_named_as_the_format_names_places() -> None:
    body = written(admission())
    assert READER.facility_location(body, "MSH-4") == "Bundle.entry[0].resource.sender"
    assert READER.facility_location(body, "PV1-39") == "Bundle.entry[1].resource.serviceProvider"
    assert READER.facility_location(body, "ZZZ-1") == "Bundle.entry"
    assert READER.facility_location(b"{", "MSH-4") == "Bundle"
    assert Hl7v2Reader().facility_location(b"", "PV1-3.4") == "PV1^1^3^1^4"
    assert Hl7v2Reader().facility_location(b"", "Encounter.location") == ""


def test_an_endless_name_is_no_code() -> None:
    document = admission()
    resource(document, "MessageHeader")["sender"] = {"display": "N" * 251}
    assert codes(document, "MSH-4") == {"MSH-4": ()}
