"""The demo in the terminal: first the places, keys and commands, then a table that lives, or plain lines where there is no terminal.

The table fits 80 columns and 24 lines: what does not would be cut off at its end, where the newest is.
Not here: what is counted (numbers.py).
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from app.cli.demo.cast import AUTHORITY, HOSPITALS, RECIPIENTS, Person
from app.cli.demo.network import Network
from app.cli.demo.numbers import OVER, WARNED, Numbers

_WITHHELD = ("suppress", "hold", "preference", "not_live")
_TOLD = ("full", "minimal", "id_only")


def places(network: Network, admin_key: str, mllp: str, log: str) -> dict[str, Any]:
    """Give the places and keys for a program."""
    keys = {key: {"organization": member.name, "id": member.id, "key": member.key} for key, member in network.members.items()}
    return {"http": network.base_url, "mllp": mllp, "log": log, "operator_key": admin_key, "keys": keys}


def introduction(network: Network, admin_key: str, mllp: str, log: str, example: Person, sample: Path) -> str:
    """Give the places, the keys, and commands that can be pasted as they are. `sample` holds a message that may be sent."""
    url, members, handoff = network.base_url, network.members, _program()
    home, plan, hospital = members["northern"], members["plan"], members["harbor"]
    keys = "\n".join(f"  {member.name:<45} {member.key}" for member in members.values())
    curl = "curl -s -H"
    bearer = "Authorization: Bearer"
    worklist = f"{curl} '{bearer} {home.key}' '{url}/v1/follow-ups?status=open&limit=1'"
    whole_list = worklist.replace("limit=1", "limit=500")
    told = f"{curl} '{bearer} {home.key}' '{url}/v1/notifications?limit=3'"
    stream = f"curl -sN -H '{bearer} {members['coastal'].key}' '{url}/v1/notifications/stream'"
    operator = f"{curl} '{bearer} {admin_key}'"

    def first(kind: str, of: str) -> str:
        return f"$({of} | grep -o '{kind}_[0-9a-f]*' | head -n 1)"

    return f"""
A living network of synthetic patients. Nothing here is real; Ctrl-C ends it.

  HTTP           {url}        documentation  {url}/docs
  MLLP           {mllp}
  ready?         {url}/readyz        metrics  {url}/metrics
  log            {log}

Keys (each speaks for its organization; the operator's has every right)
  {"operator":<45} {admin_key}
{keys}

Commands to paste
  what the northern home was told      {told}
  its worklist                         {worklist}
  a discharge summary on it            {curl} '{bearer} {home.key}' "{url}/v1/documents/{first("doc", whole_list)}/content"
  the next clock that warns            {stream} | grep -m 1 -A 1 'event: follow_up.due'
  a contact for the first on it        {curl} '{bearer} {home.key}' -H 'Content-Type: application/json' \\
                                       -d '{{"occurred_at":"'$(date -u +%FT%TZ)'","type":"phone","outcome":"reached","with":"patient"}}' \\
                                       "{url}/v1/follow-ups/{first("fup", worklist)}/contacts"
  the plan asks about a member         {curl} '{bearer} {plan.key}' -H 'Content-Type: application/json' \\
                                       -d '{{"identifier": "{AUTHORITY}|{example.medicaid_id}"}}' '{url}/v1/members/search'
  its rates, and why they are so       {curl} '{bearer} {plan.key}' '{url}/v1/measures/FUH?group_by=home'
                                       {curl} '{bearer} {plan.key}' '{url}/v1/measures/FUH/events?limit=3'
  every message, newest first          {operator} '{url}/v1/inbound?limit=5'
  why them, and why not them           {operator} "{url}/v1/encounters/{first("enc", worklist)}/why"
  is it one person? both sides         {operator} '{url}/v1/matches?limit=1'
  what homes answered, claimed twice   {operator} '{url}/v1/reviews?limit=3'
  follow-ups given to another home     {operator} '{url}/v1/transfers?limit=3'
  what waits for a person, how long    {operator} '{url}/v1/queues'
  how the panels stand                 {operator} '{url}/v1/panels'
  an admission: change it, send it     {handoff} send {sample} --mllp {mllp}
                                       {handoff} send {sample} --http {url} --key {hospital.key}
"""


def _program() -> str:
    """Give this program as it is typed here."""
    path = Path(sys.argv[0])
    if path.name != "handoff":
        return f"{sys.executable} -m app.cli"
    return "handoff" if shutil.which("handoff") == str(path.resolve()) else str(path)


def picture(numbers: Numbers, running_s: float) -> Group:
    """Draw the table."""
    doors = Table(title="Hospitals", title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("", "sent", "AA", "AE", "AR"):
        doors.add_column(column, justify="left" if not column else "right")
    for hospital in HOSPITALS:
        counts = (numbers.sent[hospital.key], *(numbers.answered_with(hospital.key, code) for code in ("AA", "AE", "AR")))
        doors.add_row(_short(hospital.name), *(str(count) for count in counts))
    told = Table(title="Recipients", title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("", "told", "pushed", "open", "due", "warned", "late", "tried", "reached"):
        told.add_column(column, justify="left" if not column else "right")
    for recipient in RECIPIENTS:
        key = recipient.key
        attempts = sum(count for (home, outcome), count in numbers.contacts.items() if home == key and outcome != "reached")
        told.add_row(
            _short(recipient.name),
            str(numbers.told_to(key)),
            str(numbers.webhooks[key, "verified"]),
            str(numbers.follow_ups[key, "open"] or "-"),
            str(numbers.clocks[key, "due"] or "-"),
            str(numbers.warned(key) or "-"),
            str(numbers.clocks[key, "overdue"] or "-"),
            str(attempts or "-"),
            str(numbers.contacts[key, "reached"] or "-"),
        )
    together = Text("\n".join(sums(numbers, running_s).split("; ")))
    return Group(doors, Text(), told, Text(), together, Text(f"clock: {numbers.clock}"), Text(f"now: {numbers.last}", style="dim"))


def _short(name: str) -> str:
    """Leave out what every name of the demo says, so that a line is not wrapped."""
    return name.removesuffix(" (demo)")


def sums(numbers: Numbers, running_s: float) -> str:
    """Give one line of everything."""
    told = sum(numbers.decisions[decision] for decision in _TOLD)
    withheld = {decision: numbers.decisions[decision] for decision in _WITHHELD if numbers.decisions[decision]}
    reasons = ", ".join(f"{decision} {count}" for decision, count in withheld.items())
    verified = sum(count for (_, what), count in numbers.webhooks.items() if what == "verified")
    turned_away = sum(count for (_, what), count in numbers.webhooks.items() if what == "turned_away")
    answers = {code: sum(count for (_, of), count in numbers.answers.items() if of == code) for code in ("AA", "AE", "AR")}
    first = f", the first after {numbers.first_told_after_s:.1f} s" if numbers.first_told_after_s is not None else ""
    return (
        f"{running_s:.0f} s: received {sum(numbers.sent.values())} "
        f"(AA {answers['AA']}, AE {answers['AE']}, AR {answers['AR']}); "
        f"notifications {sum(numbers.told.values())}{first}; stays told {told}, withheld {sum(withheld.values())}"
        f"{f' ({reasons})' if reasons else ''}; "
        f"follow-ups open {_open(numbers)}; contacts {sum(numbers.contacts.values())}; "
        f"clocks warned {numbers.told_of(WARNED)}, over {numbers.told_of(OVER)}, met {numbers.met}; "
        f"webhooks verified {verified}, sent again {turned_away}; the plan asked {numbers.questions} times"
    )


def _open(numbers: Numbers) -> int:
    return sum(count for (_, state), count in numbers.follow_ups.items() if state == "open")


def console() -> Console:
    """Give the terminal, or what stands in its place."""
    return Console(highlight=False, soft_wrap=True)
