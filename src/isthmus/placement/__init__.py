"""Placement: which site's offers a topology takes, and why. Pure: offers in, choice out."""

from isthmus.placement.choose import Choice as Choice
from isthmus.placement.choose import NoPlace as NoPlace
from isthmus.placement.choose import Placement as Placement
from isthmus.placement.choose import choose as choose
