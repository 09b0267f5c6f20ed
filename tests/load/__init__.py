"""Measurements of the whole service on this machine: `make bench`. Not tests: they assert nothing but that nothing was lost."""
