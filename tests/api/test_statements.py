"""A page costs the same number of statements whatever is on it: nothing is asked for item by item."""

from tests.api.world import ANN_AT_HOME, World, load_panel
from tests.support.messages import adt
from tests.support.queries import QueryRecorder

PAGES = {
    "/v1/notifications": ("home", 4),
    "/v1/follow-ups": ("home", 8),
    "/v1/encounters": ("home", 4),
    "/v1/subscriptions": ("home", 1),
    "/v1/inbound": ("hospital", 1),
    "/v1/feeds": ("hospital", 1),
    "/v1/keys": ("home", 1),
    "/v1/organizations": ("operator", 1),
}
"""Path -> who reads it, and how many statements it may cost; pages with people on them one for the audit."""
PEOPLE = 6


async def _counted(world: World, queries: QueryRecorder) -> dict[str, tuple[int, int]]:
    counted = {}
    for path, (who, _) in PAGES.items():
        await world.api.get(path, world.keys[who])
        with queries.recording() as statements:
            page = await world.api.json("GET", path, world.keys[who], 200)
        counted[path] = (len(statements), len(page["items"]))
    return counted


async def test_a_longer_page_costs_no_more(story: World, queries: QueryRecorder) -> None:
    home = story.keys["home"]
    await story.api.json("POST", "/v1/subscriptions", home, 201, json={"url": "https://r.example.org/0"})
    few = await _counted(story, queries)
    rows = "".join(f"H-{number},HOMEB,F{number},Sample,1980-03-0{number},F,MX{number},BHH,2026-01-01,\n" for number in range(2, 2 + PEOPLE))
    await load_panel(story, "home", ANN_AT_HOME + rows, mode="delta")
    for number in range(2, 2 + PEOPLE):
        common = {
            "mrn": f"M{number}",
            "visit": f"V{number}",
            "medicaid": f"MX{number}",
            "name": f"Sample^F{number}",
            "born": f"1980030{number}",
        }
        discharged = {"discharged": "20260306140000-0500", "disposition": "01", "diagnoses": (("F32.2", "F"),)}
        await story.send(
            adt("A01", "20260302100000-0500", control=f"I{number}", admitted="20260302100000-0500", **common),
            adt("A03", "20260306140000-0500", control=f"O{number}", admitted="20260302100000-0500", **common, **discharged),
        )
        await story.api.json("POST", "/v1/subscriptions", home, 201, json={"url": f"https://r.example.org/{number}"})
        await story.key("home", "members.read")
    many = await _counted(story, queries)
    for path, (_, most) in PAGES.items():
        assert many[path][0] <= most, path
        assert many[path][0] == few[path][0], path
    longer = {path for path in PAGES if many[path][1] > few[path][1]}
    assert longer >= {"/v1/notifications", "/v1/follow-ups", "/v1/encounters", "/v1/inbound", "/v1/keys", "/v1/subscriptions"}
