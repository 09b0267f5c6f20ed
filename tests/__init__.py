"""The tests. What kinds there are and when each is right: README.md."""
