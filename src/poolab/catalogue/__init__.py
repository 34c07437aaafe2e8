"""The poolings for people: a table, a card and a page for each, and pictures of what they keep of an image.

Everything is read off the registry and the classes, so that a method that is registered is in the catalogue.

>>> from poolab.catalogue import card
>>> print(card("avg_topk").formula)
Apply average top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r).
"""

from poolab.catalogue.card import Card, card
from poolab.catalogue.table import listed

__all__ = ["Card", "card", "listed"]
