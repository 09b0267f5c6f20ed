"""How panels stand, by command: age and limits, and who is claimed twice. On a real database."""

from pathlib import Path

from app.cli.exits import ExitCode
from tests.cli.conftest import Handoff

_ROSTER = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\nMC1,Ann,Alder,1980-01-02,F,BHH,2026-01-01\n"


def test_panels_are_listed_limited_and_compared(operator: Handoff, tmp_path: Path) -> None:
    assert operator("panel", "list", "--json").json == {"items": []}
    file = tmp_path / "roster.csv"
    file.write_text(_ROSTER)
    for name in ("Home One", "Home Two"):
        assert operator("org", "add", name, "--kind", "behavioral_health_home").code == ExitCode.OK
        assert operator("panel", "load", str(file), "--organization", name).code == ExitCode.OK
    listed = operator("panel", "list", "--json").json["items"]
    assert [(one["organization"], one["state"], one["last_upload"]["rows"]) for one in listed] == [
        ("Home One", "fresh", 1),
        ("Home Two", "fresh", 1),
    ]
    assert "Home Two" in operator("panel", "list").out
    limited = operator("panel", "limits", "home one", "--warn-after-days", "20", "--expire-after-days", "30", "--json").json
    assert (limited["warn_after_days"], limited["expire_after_days"]) == (20, 30)
    assert operator("panel", "limits", "home one", "--warn-after-days", "40", "--json").code == ExitCode.USAGE
    # Found by the workers, in the background.
    assert operator("panel", "conflicts", "--json").json == {"items": []}
    assert "Nobody is claimed twice" in operator("panel", "conflicts", "--role", "pcp").err


def test_a_removal_by_file(operator: Handoff, tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text(_ROSTER)
    operator("org", "add", "Home One", "--kind", "behavioral_health_home")
    operator("panel", "load", str(file), "--organization", "Home One")
    file.write_text("medicaid_id|action\nMC1|D\nMC2|D\n")
    ended = operator("panel", "load", str(file), "--organization", "Home One", "--json")
    assert ended.code == ExitCode.FOUND
    assert (ended.json["removed"], ended.json["rejected"], ended.json["errors"][0]["code"]) == (1, 1, "not_on_panel")


def test_a_form_of_the_whole_panel_is_asserted_rehearsed_and_reviewed(operator: Handoff, tmp_path: Path) -> None:
    file, named = tmp_path / "roster.csv", tmp_path / "members.txt"
    file.write_text(_ROSTER)
    named.write_text("MC1\n\nMC9\n")
    operator("org", "add", "Home One", "--kind", "behavioral_health_home")
    operator("panel", "load", str(file), "--organization", "Home One")
    form = ("panel", "consent", "Home One", "--type", "tpo", "--signed-on", "2026-03-01", "--scope", "All my records.", "--json")
    assert operator(*form).code == ExitCode.USAGE
    assert operator(*form, "--all", "--expires-on", "2020-01-01").code == ExitCode.REFUSED
    counted = operator(*form, "--members", str(named), "--dry-run").json
    assert (counted["members"], counted["proposed"], counted["unknown"]) == (1, 1, ["MC9"])
    assert operator(*form, "--all").json["proposed"] == 1
    asked = ("panel", "rehearse", "Home One", "--pack", "us-me")
    rehearsed = operator(*asked, "--json").json
    assert [(one["silent"], one["silent_until_reviewed"]) for one in rehearsed["stays"] if one["rule"] == "42CFRPart2"] == [(1, 1)]
    people = operator(*asked)
    assert "nobody has opted in" in people.err
    assert "Of stays that one of these rules protects" in people.out
    assert "silent  " not in people.out.splitlines()[2], "without saying of which stays"
    assert operator("panel", "rehearse", "Home One", "--pack", "xx").code == ExitCode.USAGE
    review = ("panel", "review-consents", "Home One")
    assert operator(*review, "perhaps").code == ExitCode.USAGE
    assert operator(*review, "accept", "--dry-run", "--json").json["decided"] == 1
    assert operator(*review, "accept", "--json").json["decided"] == 1
    assert operator(*review, "accept", "--json").json["decided"] == 0
    assert operator(*asked, "--json").json["silent"] == 0
