"""The private PostgreSQL that the service runs when it is given no other. Not here: SQL, roles and migrations."""
