"""The HTTP face, over real parts: the whole application, the real door and pipeline, a real PostgreSQL."""
