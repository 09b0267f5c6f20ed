"""Builds synthetic ADT messages field by field, so that no test counts separators."""

from collections.abc import Mapping


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write a segment with these fields, by their HL7 number."""
    last = max(fields, default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def patient(
    mrn: str,
    facility: str = "HOSPA",
    *,
    medicaid: str | None = None,
    index: str | None = None,
    name: str = "Alder^Ann",
    born: str = "19800102",
    sex: str = "F",
    account: str | None = None,
    moved_to: str | None = None,
) -> str:
    """Write a PID. `index` is the id of the exchange's person index (EMPI)."""
    identifiers = [f"{mrn}^^^{facility}^MR", *([f"{medicaid}^^^MAINECARE^MA"] if medicaid else [])]
    identifiers += [f"{index}^^^EMPI^PI"] if index else []
    fields = {1: "1", 3: "~".join(identifiers), 5: name, 7: born, 8: sex, 11: "1 Elm St^^Bangor^ME^04401", 13: "^PRN^PH^^^207^5550101"}
    if moved_to:
        fields[2] = f"{moved_to}^^^{facility}^MR"
    if account:
        fields[18] = f"{account}^^^{facility}^AN"
    return segment("PID", fields)


def adt(  # one keyword for each thing that tests vary
    trigger: str,
    at: str,
    *,
    control: str,
    mrn: str = "M1",
    visit: str | None = "V1",
    facility: str = "HOSPA",
    medicaid: str | None = "MC1",
    index: str | None = None,
    name: str = "Alder^Ann",
    born: str = "19800102",
    sex: str = "F",
    patient_class: str | None = "I",
    unit: str = "PSY",
    admitted: str = "",
    discharged: str = "",
    disposition: str = "",
    destination: str = "",
    diagnoses: tuple[tuple[str, str], ...] = (),
    merged: str | None = None,
    mrg: Mapping[int, str] | None = None,
    account: str | None = None,
    moved_to: str | None = None,
    alternate: str | None = None,
    application: str = "EPIC",
    processing: str = "P",
    sent: str | None = None,
    event: str | None = None,
    extra: tuple[str, ...] = (),
) -> bytes:
    """Write one ADT message. `at` is EVN-2 and, unless `sent` says otherwise, MSH-7; `diagnoses` are (code, DG1-6).

    `merged` is MRG-1; `mrg` gives more of its fields as they are written; `moved_to` is PID-2; `destination` is PV1-37, `alternate`
    PV1-50.
    """
    segments = [
        f"MSH|^~\\&|{application}|{facility}|HANDOFF|HIE|{sent or at}||ADT^{trigger}|{control}|{processing}|2.5.1",
        segment("EVN", {2: at, 6: event or ""}),
        patient(mrn, facility, medicaid=medicaid, index=index, name=name, born=born, sex=sex, account=account, moved_to=moved_to),
    ]
    if merged is not None or mrg is not None:
        segments.append(segment("MRG", {**({1: f"{merged}^^^{facility}^MR"} if merged else {}), **(mrg or {})}))
    if patient_class is not None:
        fields = {
            1: "1",
            2: patient_class,
            3: f"{unit}^101^1^{facility}",
            7: "1234567893^Oak^Olive",
            44: admitted,
            45: discharged,
            36: disposition,
            37: destination,
        }
        if visit is not None:
            fields[19] = f"{visit}^^^{facility}^VN"
        if alternate is not None:
            fields[50] = f"{alternate}^^^{facility}^VN"
        segments.append(segment("PV1", {number: value for number, value in fields.items() if value}))
    segments.extend(
        segment("DG1", {1: str(position), 3: f"{code}^Synthetic^I10", 6: use, 15: str(position)})
        for position, (code, use) in enumerate(diagnoses, start=1)
    )
    return ("\r".join([*segments, *extra]) + "\r").encode()
