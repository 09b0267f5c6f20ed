"""The nouns: pure values and pure rules. No I/O, no clock, no randomness."""
