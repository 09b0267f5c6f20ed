"""`/docs` and `/openapi.json`: the contract, readable and ready to try. Self-hosted: no byte comes from elsewhere."""

from pathlib import Path
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from app.api.answers import plain
from app.api.guard import GuardedRoute
from app.api.problems import not_found

router = APIRouter(route_class=GuardedRoute, include_in_schema=True, tags=["operations"])

VERSION: Final = "5.35.0"
ASSETS: Final = Path(__file__).parent / "static" / f"swagger-ui-{VERSION}"
_TYPES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Warm Handoff: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/assets/{VERSION}/swagger-ui.css">
</head>
<body>
<main id="swagger-ui">
<noscript>This page needs JavaScript; the same contract is at <a href="openapi.json">openapi.json</a>.</noscript>
</main>
<script src="docs/assets/{VERSION}/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true, docExpansion: "none",
  persistAuthorization: false, queryConfigEnabled: false, syntaxHighlight: false,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"
});
"""


@router.get("/docs", responses=plain("The page", media_type="text/html"))
async def docs() -> Response:
    """Show the contract as a page on which it can be tried. The key is kept in the page only and is gone when it closes."""
    return Response(_PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js", include_in_schema=False)
async def start() -> Response:
    """Give the few lines that start the page."""
    return Response(_START, media_type="text/javascript")


@router.get(f"/docs/assets/{VERSION}/{{name}}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Give a vendored file. Only those named here, never a path."""
    if name not in _TYPES:
        raise not_found("file")
    return FileResponse(ASSETS / name, media_type=_TYPES[name], headers={"Cache-Control": "public, max-age=604800, immutable"})


@router.get("/openapi.json", responses=plain("OpenAPI 3.1", media_type="application/json", schema={"type": "object"}))
async def openapi(request: Request) -> Response:
    """Give the contract as OpenAPI 3.1, with the webhooks that subscribers receive."""
    return Response(orjson.dumps(request.app.openapi()), media_type="application/json")
