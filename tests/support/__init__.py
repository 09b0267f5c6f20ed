"""What the tests share: databases, fakes for what is injected, counters. Not here: builders of nouns (factories)."""
