"""`python -m tests.load` is `python -m tests.load.bench`."""

from tests.load.bench import main

main()
