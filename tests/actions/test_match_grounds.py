"""Two grounds that are easily believed too much, on a real database: what many people share, and a death."""

from typing import Any

import pytest

from tests.actions.test_match_records import ANN, MISSPELT, House, claim, house, mrn

__all__ = ["house"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(("other_says", "is_one"), [({}, True), ({"deceased": True}, True), ({"deceased": False}, False)])
async def test_a_death_that_the_other_denies_parts_them_and_one_that_it_does_not_know_of_does_not(
    house: House, order: tuple[int, int], other_says: dict[str, Any], is_one: bool
) -> None:
    """That only one place knows of a death is usual: it is where the person died."""
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("1", mrn("B", "7"), **MISSPELT))
    assert await house.people() == {frozenset({"A1", "B7"})}
    said = [claim("2", mrn("A", "1"), deceased=True, died_at="2026-01-02T10:00:00+00:00"), claim("3", mrn("B", "7"), **other_says)]
    for place in order:
        await house.take(said[place])
    joined = {frozenset({"A1", "B7"})}
    assert await house.people() == (joined if is_one else {frozenset({"A1"}), frozenset({"B7"})})
    (tie,) = await house.ties()
    assert tie["state"] == ("joined" if is_one else "open")
    assert is_one or "death" in str(tie["grounds"])


@pytest.mark.parametrize("shared", [{"address": "77 Harbor Street", "zip": "04401"}, {"phone": "2075550177"}], ids=["address", "phone"])
async def test_what_a_shelter_shares_loses_weight_with_its_people_and_never_decides(house: House, shared: dict[str, str]) -> None:
    """Two who would be one by a phone or an address of their own are only asked about, or nothing at all, once it is a shelter's."""
    bare = {name: value for name, value in ANN.items() if name not in ("phone", "address", "zip", "city")}
    bare["first_name"] = "Mary"
    one, other = {**bare, **shared}, {**bare, "last_name": "Fetherstonehaugh", **shared}
    await house.take(claim("1", mrn("A", "1"), **one), claim("1", mrn("B", "7"), **other))
    (before,) = await house.ties()
    assert before["level"] == "certain"
    assert await house.people() == {frozenset({"A1", "B7"})}
    letters = "BCDFGHJKLMNPRSTV"
    guests = [
        claim(
            "2", mrn("A", f"9{place}"), first_name=f"{letter}orbin", last_name=f"Qu{letter.lower()}arrel", sex="M",
            birth_date=f"19{50 + place}-0{1 + place % 9}-1{place % 9}", **shared,
        )
        for place, letter in enumerate(letters)
    ]  # fmt: skip
    weights = [before["weight"]]
    for guest in guests:
        await house.take(guest)
        (tie,) = [tie for tie in await house.ties() if {tie["one"], tie["other"]} == {"A1", "B7"}]
        weights.append(tie["weight"])
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] < weights[0] - 1
    assert tie["level"] != "certain"
    assert await house.people() >= {frozenset({"A1"}), frozenset({"B7"})}
    # Whoever is alike in nothing else is not even asked about.
    assert {frozenset((tie["one"], tie["other"])) for tie in await house.ties() if tie["state"] == "open"} <= {frozenset({"A1", "B7"})}
