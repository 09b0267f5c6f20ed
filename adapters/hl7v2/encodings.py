"""HL7 v2 in either of its encodings, ER7 or XML, to the same tokens. The first character tells which: ER7 begins with MSH, XML with <.

So a message is read alike on every wire and from every store, whatever a content type said of it. Not here: the encodings themselves
(`er7`, `xml_form`).
"""

from functools import lru_cache

from adapters.hl7v2 import er7
from adapters.hl7v2.er7 import Er7Message
from adapters.hl7v2.xml_form import Er7Text, is_xml, read_xml
from adapters.hl7v2.xml_writer import write_xml
from app.domain.inbound import Problem


def tokenize(body: bytes, default_charset: str | None = None) -> Er7Message | Problem:
    """Cut one message in either encoding, or say why that cannot be done and where. Nothing is raised, whatever the bytes are."""
    if body[:3] == b"MSH" or not is_xml(body):
        return er7.tokenize(body, default_charset)
    found = _read(body, default_charset)
    return found if isinstance(found, Problem) else er7.cut(found.decoded, found.delimiters)


def as_er7(body: bytes) -> bytes | Problem:
    """Give a message as ER7, in UTF-8 where it was XML; what is ER7 already as it is."""
    if body[:3] == b"MSH" or not is_xml(body):
        return body
    found = _read(body, None)
    return found if isinstance(found, Problem) else found.decoded.text.encode()


def as_xml(body: bytes) -> bytes:
    """Give an acknowledgement as XML; what is XML already, or no message, as it is."""
    message = er7.tokenize(body) if not is_xml(body) else None
    return write_xml(message) if isinstance(message, Er7Message) else body


@lru_cache(maxsize=2)
def _read(body: bytes, default_charset: str | None) -> Er7Text | Problem:
    # Whoever asks for the header of a message goes on to read it.
    return read_xml(body, default_charset)
