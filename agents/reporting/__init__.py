"""The report of a backtest: one HTML file that stands by itself, for a screen, a phone or paper.

`story` gathers what is told while a log runs, `trees` reads the largest cascades from it, `charts` draws, `page` puts
it together.
"""

from agents.reporting.page import render
from agents.reporting.story import Story
from agents.reporting.trees import plant

__all__ = ["Story", "plant", "render"]
