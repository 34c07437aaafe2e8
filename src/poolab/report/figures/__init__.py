"""Figures of a report, drawn by matplotlib: each is a function from the analysis to a `Figure`, or to a reason why not.

Colours are those of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart; what
a colour says, a marker or a word says too.
"""

from poolab.report.figures.draw import FORMATS, Drawn, draw_all

__all__ = ["FORMATS", "Drawn", "draw_all"]
