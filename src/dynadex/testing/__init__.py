"""In-memory stand-ins for a table with its stream and for a search cluster, for tests.

They pass the same contract tests as the real backends; their known differences are listed there. ``rejections`` returns
which fields of a document an index with given mappings would reject.
"""

from dynadex.document.mapping_check import rejections
from dynadex.testing.clock import ManualClock
from dynadex.testing.index import InMemoryIndex
from dynadex.testing.table import InMemoryTable

__all__ = ["InMemoryIndex", "InMemoryTable", "ManualClock", "rejections"]
