"""Webhooks out: Standard Webhooks over HTTPS, to receivers that a guard has looked at. See README.md."""
