"""dynadex keeps OpenSearch indexes in step with DynamoDB tables."""

from dynadex.declaration import Search
from dynadex.errors import DynadexError
from dynadex.sync import Sync

__version__ = "0.1.0"
__all__ = ["DynadexError", "Search", "Sync", "__version__"]
