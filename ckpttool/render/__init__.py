"""Text of results, one module an output. Renderers take values and return strings; they never print."""

from ckpttool.render.outputs import Outputs
from ckpttool.render.style import Style

# Each module has a function of the given name, which takes a result (several, for summaries) and a Style.
LISTING_OUTPUTS = Outputs(__name__, "listing", "text json csv markdown html")
SUMMARY_OUTPUTS = Outputs(__name__, "summaries", "text json csv markdown html")
INFO_OUTPUTS = Outputs(__name__, "info", "text json html")
DIFF_OUTPUTS = Outputs(__name__, "diff", "text json markdown html")
VERIFY_OUTPUTS = Outputs(__name__, "verdict", "text json markdown html")

__all__ = ["DIFF_OUTPUTS", "INFO_OUTPUTS", "LISTING_OUTPUTS", "SUMMARY_OUTPUTS", "VERIFY_OUTPUTS", "Style"]
