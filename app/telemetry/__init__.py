"""What the processes say about themselves: log events and metrics from an allow-list of typed fields. Not here: what is done."""
