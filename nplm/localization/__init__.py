"""Where data and reference differ, as the fitted log-ratio sees it: events, regions, features.

Nothing here is a significance: places are chosen after looking at the data.
"""
