"""A file of claims in FHIR: NDJSON, a resource a line as bulk exports write it, or one Bundle. Bytes in, rows of a table out.

The rows have the columns of the CSV form, so everything after is the same. NDJSON is read as it comes. Resources that claims refer to
(Patient, Coverage, Practitioner) are found in the same Bundle, contained, or on a line before. Not here: what a claim's lines are
(`benefits`), what a row means (app/domain/claim_row).
"""

from collections.abc import Iterator
from typing import Final

from adapters.fhir.benefits import Cells, Party, lines_of, party_of, replaces_nobody_knows_what
from adapters.fhir.bundle import ReadJson
from adapters.fhir.models import problems_of
from adapters.fhir.values import Json, member, objects, text
from app.domain.claim_row import COLUMNS
from app.domain.roster import RawRow, RosterRefusedError, RowError, RowErrorCode

BENEFIT: Final = "ExplanationOfBenefit"
ADJUDICATED: Final = frozenset({"complete", "partial"})
"""Outcomes of what was processed; a claim that waits, or that had errors, is no service yet."""
PARTIES: Final = frozenset({"Patient", "Coverage", "Practitioner", "PractitionerRole", "Organization"})
DOCUMENT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Our policy, for a Bundle and for one line: more is sent as NDJSON."""
_MARK: Final = b"\xef\xbb\xbf"


class ClaimsFhir:
    """Reads one file: `feed` its bytes, then `close`. Raises `RosterRefusedError` where it is none at all."""

    header: tuple[str, ...] | None = tuple(sorted(COLUMNS))
    header_row = 0
    """There is none. Rows are counted from 1: the first line of the first claim."""

    def __init__(self, read_json: ReadJson) -> None:
        """Begin a file."""
        self._read_json = read_json
        self._waiting = b""
        self._is_begun = False
        self._is_document = False
        self._line = 0
        self._rows = 0
        self._parties: dict[str, Party] = {}

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete."""
        self._waiting += data
        if not self._is_begun:
            self._waiting = self._waiting.removeprefix(_MARK).lstrip()
        rows: list[RawRow] = []
        if not self._is_document and b"\n" in data:
            *lines, self._waiting = self._waiting.split(b"\n")
            for number, line in enumerate(lines):
                if not self._is_begun and line.strip() and not self._is_whole(line):
                    self._is_document, self._waiting = True, b"\n".join([*lines[number:], self._waiting])
                    break
                rows += self._read_line(line)
        if len(self._waiting) > DOCUMENT_BYTES_MAX:
            raise _refused(f"A Bundle, or a line, has more than {DOCUMENT_BYTES_MAX} bytes. Send NDJSON: one resource a line.")
        return rows

    def close(self) -> list[RawRow]:
        """Give the last rows."""
        if not self._is_document:
            rows = self._read_line(self._waiting)
            if not self._is_begun:
                raise _refused("The file is empty. Send ExplanationOfBenefit resources as NDJSON or in a Bundle.")
            return rows
        try:
            return list(self._of_document(self._read_json(self._waiting)))
        except ValueError as problem:
            raise _refused(f"The file was not read as JSON: {problem}.") from None

    def _is_whole(self, line: bytes) -> bool:
        """Whether the first line is a resource by itself; else the file is one that is written over many lines."""
        try:
            return isinstance(self._read_json(line), dict)
        except ValueError:
            return False

    def _read_line(self, line: bytes) -> list[RawRow]:
        self._line += 1
        if not line.strip():
            return []
        self._is_begun = True
        try:
            return list(self._of_document(self._read_json(line), f"line {self._line}: "))
        except ValueError:
            return [self._problem(RowErrorCode.NOT_FHIR, f"line {self._line}")]

    def _of_document(self, document: object, before: str = "") -> Iterator[RawRow]:
        if not isinstance(document, dict):
            yield self._problem(RowErrorCode.NOT_FHIR, before.rstrip(": "))
            return
        if document.get("resourceType") != "Bundle":
            yield from self._of_resource(document, f"{before}{BENEFIT}")
            return
        entries = [(index, one) for index, one in enumerate(objects(document.get("entry"))) if isinstance(one.get("resource"), dict)]
        for _, one in entries:
            self._remember(one["resource"], text(one.get("fullUrl")))
        for index, one in entries:
            yield from self._of_resource(one["resource"], f"{before}Bundle.entry[{index}].resource")

    def _of_resource(self, resource: Json, path: str) -> Iterator[RawRow]:
        """Read a claim, remember what claims refer to, and pass over the rest."""
        if resource.get("resourceType") != BENEFIT:
            self._remember(resource, "")
            return
        problems = problems_of(BENEFIT, resource, path)
        if problems:
            yield self._problem(RowErrorCode.NOT_FHIR, problems[0].location)
        elif resource.get("use") != "claim":
            yield self._problem(RowErrorCode.NOT_A_CLAIM, f"{path}.use")
        elif resource.get("status") not in ("active", "cancelled", "entered-in-error"):
            yield self._problem(RowErrorCode.NOT_A_CLAIM, f"{path}.status")
        elif resource["status"] == "active" and resource.get("outcome") not in ADJUDICATED:
            yield self._problem(RowErrorCode.NOT_A_CLAIM, f"{path}.outcome")
        elif "modifierExtension" in resource or "implicitRules" in resource:
            yield self._problem(RowErrorCode.NOT_FHIR, f"{path}.modifierExtension")
        elif resource["status"] == "active" and replaces_nobody_knows_what(resource):
            yield self._problem(RowErrorCode.REPLACES_NOTHING, f"{path}.related")
        else:
            rows = [self._row(cells) for cells in lines_of(resource, self._find)]
            yield from rows or [self._problem(RowErrorCode.NOTHING_GIVEN, f"{path}.item")]

    def _remember(self, resource: Json, full_url: str) -> None:
        if resource.get("resourceType") not in PARTIES:
            return
        party, id_ = party_of(resource), text(resource.get("id"))
        for name in (full_url, f"{resource['resourceType']}/{id_}" if id_ else ""):
            if name:
                self._parties[name] = party

    def _find(self, reference: object, within: Json) -> Party | None:
        said = text(member(reference, "reference"))
        if said.startswith("#"):
            return next((party_of(one) for one in objects(within.get("contained")) if text(one.get("id")) == said[1:]), None)
        said = said.partition("/_history/")[0]
        return self._parties.get(said) or self._parties.get("/".join(said.split("/")[-2:]))

    def _row(self, cells: Cells) -> RawRow:
        self._rows += 1
        return RawRow(self._rows, [cells.get(name, "") for name in self.header or ()])

    def _problem(self, code: RowErrorCode, place: str) -> RawRow:
        self._rows += 1
        return RawRow(self._rows, [], code, place)


def _refused(message: str) -> RosterRefusedError:
    return RosterRefusedError([RowError(1, "", RowErrorCode.NOT_FHIR, message)])
