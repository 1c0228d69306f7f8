"""In-memory stand-ins for a table with its stream and for a search cluster, for your tests and ours.

They pass the same contract suite as the real backends; what they lack is listed there. ``refusals`` says which fields
of a document an index with given mappings would refuse.
"""

from dynadex.document.mapping_check import refusals
from dynadex.testing.clock import ManualClock
from dynadex.testing.index import InMemoryIndex
from dynadex.testing.table import InMemoryTable

__all__ = ["InMemoryIndex", "InMemoryTable", "ManualClock", "refusals"]
