"""Watches one drop: which file is next, what becomes of it, where it ends up, and what when it cannot be done now.

    name            put down by the sender, until it has lain still
    taking/…        claimed; taken up again by whoever has the drop, however often its process died
    done/name       with name.result.json and the acknowledgements or refused rows beside it
    failed/name     with name.result.json

Nothing here is deleted but half-written results. Not here: the content of a file (messages, rosters).
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from app.domain.directory import Directory
from app.domain.drop import (
    ACKS,
    ENDS_OCTETS,
    REJECTED,
    RESULT,
    TAKING,
    TRIES_MAX,
    UNFINISHED_FACTOR,
    Box,
    DropSource,
    DropUnavailableError,
    Patience,
    Sighting,
    Taken,
    clean_name,
    is_candidate,
    looks_whole,
    read_taken,
)
from app.drop.messages import DropStoppedError, MessageServices, take_messages
from app.drop.report import FileReport, nothing_taken
from app.drop.rosters import RosterServices, take_roster
from app.ports import Clock, DropFolder, Ids
from app.store.failures import is_race, is_unavailable

AT_ONCE: Final = 8
"""Files of messages under way at once, so that many small ones share commits. Rosters go one by one: their order matters."""
DEFECTS_MAX: Final = 3
PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_REPORT_IT: Final = "Report it as a defect, with the log. What was taken stays taken; after an update put the file into the drop again."
_RESULTS: Final = (ACKS, REJECTED, RESULT)


class DropObserver(Protocol):
    """Hears what happens, for the log and the metrics. Nothing it is told names a file."""

    def finished(self, source: str, taken: Taken, report: FileReport, duration_s: float) -> None:
        """Note that a file has ended up somewhere."""
        ...

    def waiting(self, source: str, files: int) -> None:
        """Note how many files lie in the drop."""
        ...

    def paused(self, source: str, reason: str, pause_s: float) -> None:
        """Note that the drop cannot be used now; said once until it can."""
        ...

    def resumed(self, source: str, away_s: float) -> None:
        """Note that it can be used again."""
        ...

    def defect(self, error: Exception) -> None:
        """Note an error that no rule expects."""
        ...


@dataclass(frozen=True, slots=True)
class DropServices:
    """What a watch needs from the wiring."""

    messages: MessageServices
    rosters: RosterServices
    directory: Callable[[], Awaitable[Directory]]
    hold: Callable[[str], Awaitable[bool]]
    """Takes the drop of this name for this process, or says that another has it."""
    clock: Clock
    ids: Ids
    observer: DropObserver


class Watch:
    """One drop, as one process sees it."""

    def __init__(self, source: DropSource, folder: DropFolder, services: DropServices) -> None:
        """Nothing is touched before `run` or `once`."""
        self._source, self._folder, self._services = source, folder, services
        self._patience = Patience()
        self._defects: dict[UUID, int] = {}
        self._at_once = 1 if source.panel_of is not None else AT_ONCE
        self._settling = asyncio.Lock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. Ends with the file that is under way, or in the middle of a file of messages."""
        failures, paused_at_s = 0, 0.0
        while not stopping.is_set():
            pause_s = self._source.every_s
            try:
                await self.once()
            except DropStoppedError:
                return
            except Exception as error:  # noqa: BLE001 - the watch outlives whatever one round meets
                pause_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
                if failures == 0:
                    paused_at_s = time.monotonic()
                    self._services.observer.paused(self._source.name, self._reason(error), pause_s)
                failures += 1
            else:
                if failures:
                    self._services.observer.resumed(self._source.name, time.monotonic() - paused_at_s)
                failures = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await stopping.wait()

    def _reason(self, error: Exception) -> str:
        if isinstance(error, DropUnavailableError):
            return error.reason
        if is_unavailable(error) or is_race(error):
            return "database"
        self._services.observer.defect(error)
        return "defect"

    async def once(self) -> None:
        """Look once: finish what was claimed, and take what is ready. Raises what makes the drop unusable now."""
        source = self._source
        if not await self._services.hold(source.name):
            self._patience = Patience()
            self._services.observer.waiting(source.name, 0)
            return
        await self._check_configuration()
        try:
            await self._folder.open()
            for claimed in await self._claimed():
                await self._work(claimed)
            await self._take_ready()
        finally:
            await self._folder.close()

    async def _check_configuration(self) -> None:
        """See that the feed or organization is there. Without it nothing is taken, rather than everything refused."""
        directory = await self._services.directory()
        source = self._source
        if source.panel_of is not None and source.panel_of not in directory.organizations:
            raise DropUnavailableError("no_organization", "The organization of `panel_of` does not exist; `handoff org list` shows them.")
        if source.feed is not None and directory.feed_of("", "", named=source.feed, organization_id=None) is None:
            raise DropUnavailableError("no_feed", "The feed of `feed` does not exist; `handoff feed list` shows them.")

    async def _claimed(self) -> list[Taken]:
        """Give what was claimed and never finished, oldest first; remove the results of what has ended up."""
        names = [seen.name for seen in await self._folder.files(TAKING)]
        found = [taken for name in names if (taken := read_taken(name)) is not None]
        unfinished = {taken.id.hex for taken in found}
        for name in names:
            owner, _, result = name.partition(".")
            if result in _RESULTS and owner not in unfinished:
                await self._folder.remove(f"{TAKING}/{name}")
        return sorted(found, key=lambda taken: taken.id)

    async def _take_ready(self) -> None:
        seen = [sighting for sighting in await self._folder.files("") if is_candidate(sighting.name)]
        self._services.observer.waiting(self._source.name, len(seen))
        ready = []
        for sighting, still_s in self._patience.still_for_s(seen, time.monotonic()):
            if await self._is_ready(sighting, still_s):
                ready.append(sighting)
        for start in range(0, len(ready), self._at_once):
            wave = [await self._claim(sighting) for sighting in ready[start : start + self._at_once]]
            ended = await asyncio.gather(*(self._work(taken) for taken in wave if taken is not None), return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error

    async def _is_ready(self, sighting: Sighting, still_s: float) -> bool:
        quiet_s = self._source.quiet_s
        if still_s < quiet_s or await self._folder.is_being_written(sighting.name):
            return False
        if still_s >= quiet_s * UNFINISHED_FACTOR:
            return True
        head, tail = await self._folder.ends(sighting.name, ENDS_OCTETS)
        return looks_whole(head, tail, is_roster=self._source.panel_of is not None)

    async def _claim(self, sighting: Sighting) -> Taken | None:
        """Rename the file to ours; None when it is gone."""
        taken = Taken(self._services.ids.new(), 0, clean_name(sighting.name))
        return taken if await self._folder.move(sighting.name, taken.path) else None

    async def _work(self, claimed: Taken) -> None:
        """Take a claimed file and put it where it belongs."""
        if await self._folder.is_being_written(claimed.path):
            # Opened between our look and our rename. It is ours already, and is taken when the writer has closed it.
            return
        started_s = time.monotonic()
        before = await self._folder.look(claimed.path)
        # Counted in the name before the work, so that a file that kills its process is known.
        taken = Taken(claimed.id, claimed.tries + 1, claimed.name)
        if before is None or not await self._folder.move(claimed.path, taken.path):
            return
        try:
            report = await self._reported(taken)
            after = await self._folder.look(taken.path)
            if after is not None and (after.size, after.modified_ns) != (before.size, before.modified_ns):
                # It was written to while we read. What was taken stays taken; the whole file is taken up again.
                await self._folder.move(taken.path, claimed.path)
                return
            async with self._settling:
                await self._settle(taken, report)
        except Exception:
            # We are still here, so this try was not the file's fault.
            await self._folder.move(taken.path, claimed.path)
            raise
        self._defects.pop(taken.id, None)
        self._services.observer.finished(self._source.name, taken, report, time.monotonic() - started_s)

    async def _reported(self, taken: Taken) -> FileReport:
        try:
            return await self._take(taken)
        except Exception as error:
            if (failed := self._failed(taken, error)) is None:
                raise
            return failed

    async def _take(self, taken: Taken) -> FileReport:
        if taken.tries > TRIES_MAX:
            message = f"The file was taken up {TRIES_MAX} times, and each time the process ended before it was finished."
            return nothing_taken("killed", message, _REPORT_IT)
        source = self._source
        if source.panel_of is None:
            return await take_messages(self._services.messages, self._folder, source, taken)
        organization = (await self._services.directory()).organizations[source.panel_of]
        return await take_roster(self._services.rosters, self._folder, source, organization, taken)

    def _failed(self, taken: Taken, error: Exception) -> FileReport | None:
        """Tell whether a file has failed for good; None: it is to be tried again."""
        if isinstance(error, DropUnavailableError | DropStoppedError) or is_unavailable(error) or is_race(error):
            return None
        self._services.observer.defect(error)
        self._defects[taken.id] = self._defects.get(taken.id, 0) + 1
        if self._defects[taken.id] < DEFECTS_MAX:
            return None
        # The class, never the text: that may quote the file.
        return nothing_taken("defect", f"Our defect ({type(error).__name__}).", _REPORT_IT)

    async def _settle(self, taken: Taken, report: FileReport) -> None:
        """Lay the results where the file will lie, then move the file there: the step after which it is not looked at again."""
        folder, box = self._folder, report.outcome.box
        if taken.tries > 1:
            await self._forget_results(taken)
        name = await self._free_name(taken, box)
        async with folder.write(taken.growing(RESULT)) as write:
            await write(orjson.dumps(self._document(taken, report), option=orjson.OPT_INDENT_2) + b"\n")
        for result in report.results:
            await folder.move(taken.growing(result), f"{box}/{name}.{result}")
        await folder.move(taken.growing(RESULT), f"{box}/{name}.{RESULT}")
        await folder.move(taken.path, f"{box}/{name}")
        for result in _RESULTS:
            await folder.remove(taken.growing(result))

    async def _free_name(self, taken: Taken, box: Box) -> str:
        """Give the name under which the file will lie: its own, unless an earlier one has it."""
        for name in (taken.name, f"{taken.name}.{RESULT}"):
            if await self._folder.look(f"{box}/{name}") is not None:
                return taken.stamped
        return taken.name

    async def _forget_results(self, taken: Taken) -> None:
        """Remove the results of an earlier try that died before it had moved the file."""
        for box in Box:
            for name in (taken.name, taken.stamped):
                if await self._folder.look(f"{box}/{name}") is None and await self._result_is_ours(taken, f"{box}/{name}.{RESULT}"):
                    for result in _RESULTS:
                        await self._folder.remove(f"{box}/{name}.{result}")

    async def _result_is_ours(self, taken: Taken, path: str) -> bool:
        if await self._folder.look(path) is None:
            return False
        said = b"".join([piece async for piece in self._folder.read(path)])
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return bool(orjson.loads(said)["id"] == taken.id.hex)
        return False

    def _document(self, taken: Taken, report: FileReport) -> dict[str, Any]:
        """Give what the file's result says."""
        return {
            "id": taken.id.hex,
            "file": taken.name,
            "source": self._source.name,
            "outcome": report.outcome.value,
            "reason": report.reason,
            "remedy": report.remedy or None,
            "finished_at": self._services.clock.now().isoformat(),
            "octets": report.octets,
            **report.document,
        }
