"""Privacy law as data: the notices word for word, packs that say they are unverified, and errors that name file and key."""

import hashlib
from pathlib import Path

import pytest

from app.standards.privacy_rules import load_privacy_law, privacy_law
from app.standards.toml_table import StandardsError, shipped

SHIPPED = Path(str(shipped("privacy")))


def test_the_notice_is_word_for_word() -> None:
    """42 CFR 2.32(a)(1) of 2024. A changed letter changes the hash: counsel confirms a new version before it gets a new one."""
    notices = privacy_law().notices
    long, short = notices["42CFR2.32(a)(1)"].text, notices["42CFR2.32(a)(2)"].text
    assert long.startswith("This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2).")
    assert long.endswith("to further use or redisclose the record (see 42 CFR 2.31).")
    assert short == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
    assert hashlib.sha256(long.encode()).hexdigest() == "d82205a18044f9f45776343d91e26d8ddb44bf13e136af169ec73d755facd9a8"


def test_no_pack_claims_that_counsel_has_signed_it() -> None:
    packs = privacy_law().packs
    assert set(packs) == {"us-me", "us-il"}
    assert not any(pack.is_verified for pack in packs.values())


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("federal.toml", 'code = "42CFR2.32(a)(1)"', 'code = "other"', "federal.toml: notice"),
        ("federal.toml", "break_glass_minutes_max = 60", "break_glass_minutes_max = 0", "federal.toml: break_glass_minutes_max"),
        ("us-me.toml", 'id = "us-me"', 'id = "us-xx"', "us-me.toml: id"),
        ("us-me.toml", 'default = "opt_in"', 'default = "ask"', "us-me.toml: rule[1]: default"),
        ("us-me.toml", "days_max = 365", "days_mx = 365", "us-me.toml: rule[1]: days_mx"),
        ("us-me.toml", "signal = true", "signal = false", "us-me.toml: rule[0]: licensed"),
        ("us-il.toml", 'consent_kinds = ["named"]', 'consent_kinds = ["refusal"]', "us-il.toml: rule[0]: consent_kinds"),
        ("us-il.toml", "self_from_years = 12", "self_from_years = 19", "us-il.toml: minors: self_from_years"),
        (
            "us-il.toml",
            "names_recipient = true",
            "names_recipient = true\neffective_to = 2020-01-01\neffective_from = 2021-01-01",
            "effective_to",
        ),
        ("us-il.toml", "us-il.mental_health", "us-me.hiv", "rule us-me.hiv is defined twice"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    for one in SHIPPED.glob("*.toml"):
        text = one.read_text("utf-8")
        if one.name == file:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / one.name).write_text(text, "utf-8")
    with pytest.raises(StandardsError) as refused:
        load_privacy_law(tmp_path)
    assert said in str(refused.value)


def test_the_federal_file_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "us-me.toml").write_text((SHIPPED / "us-me.toml").read_text("utf-8"), "utf-8")
    with pytest.raises(StandardsError, match=r"federal\.toml must be there"):
        load_privacy_law(tmp_path)
