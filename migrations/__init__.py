"""Changes of the schema, run by the operator and never by the app. How to write one: README.md beside this file."""
