"""What standards and programs say, as data: code tables, value sets, programs, measures, calendars, each with source and version.

The loaders here read the files beside them once, check them, and build the nouns of ``app.domain``. Not here: any decision.
"""
