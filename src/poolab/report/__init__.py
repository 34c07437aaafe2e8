"""Turns the records of runs into an answer: statistics, tables, figures and a page. Needs neither torch nor the data.

The path of a report: `runs` reads records, `evidence` sorts them into arms and settings, `statistics` compares the
arms, `analysis` joins both, and everything else writes the result down.
"""
