"""The HTTP face: thin routes, their schemas, and what stands before them. Not here: pages (web), what is decided (actions, domain)."""
