"""Writes the published contract: `python -m app.api > openapi/openapi.json`."""

import sys

import orjson

from app.api.application import openapi_document


def main() -> None:
    """Write the document, indented, with a line end."""
    sys.stdout.write(orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    main()
