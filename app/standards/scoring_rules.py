"""The scored comparison with the weights and words that are in force. Not here: how they are read (matching_rules)."""

from functools import cache

from app.domain.scoring import Scorer
from app.standards.matching_rules import vocabulary, weights


@cache
def scorer() -> Scorer:
    """Give the comparison as shipped."""
    return Scorer(weights(), vocabulary())
