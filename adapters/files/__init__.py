"""Files that people send and take: rosters, and the rows of them that were refused. See README.md."""
