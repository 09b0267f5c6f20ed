"""Warm Handoff: from a hospital's ADT message to a follow-up that somebody did."""
