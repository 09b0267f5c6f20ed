"""What is fuzzed: each target's check, what the door does with such bytes once (its cost), and what it begins with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.fuzz import fhir, hl7v2, seeds
from tests.fuzz.budget import swollen, within_budget
from tests.fuzz.mutate import swollen_json


@dataclass(frozen=True, slots=True)
class Target:
    """One of them."""

    name: str
    hold: Callable[[bytes], None]
    spend: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    bytes_max: int = 16_384
    is_json: bool = False

    def swell(self, data: bytes) -> bytes:
        """Make an input large."""
        return swollen_json(data) if self.is_json else swollen(data)

    def __call__(self, data: bytes) -> None:
        """Try one input."""
        within_budget(self.spend, self.swell, data, self.name)
        self.hold(data)


TARGETS: Final = {
    target.name: target
    for target in (
        Target("framer", hl7v2.framer, hl7v2.spend_on_framer, seeds.streams),
        Target("tokens", hl7v2.tokens, hl7v2.spend_on_tokens, seeds.messages),
        Target("escapes", hl7v2.escapes, hl7v2.spend_on_escapes, seeds.texts, 4_096),
        Target("batch", hl7v2.batch, hl7v2.spend_on_batch, seeds.files),
        Target("reader", hl7v2.reader, hl7v2.spend_on_reader, seeds.messages),
        Target("xml", hl7v2.xml, hl7v2.spend_on_xml, seeds.in_xml),
        Target("json", fhir.strict_json, fhir.spend_on_json, seeds.documents, is_json=True),
        Target("fhir", fhir.reader, fhir.spend_on_reader, seeds.documents, 65_536, is_json=True),
    )
}
