"""Fuzzing of what takes bytes from strangers, guided by coverage (atheris). `python -m tests.fuzz` says how; see tests/README.md."""
