"""Settings of a deployment, as typed values that are validated on creation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dynadex.sync import load_sync

PACKAGES = Path(__file__).parents[2] / "build" / "lambda"
Architecture = Literal["arm64", "x86_64"]
# Records per batch: smaller batches waste invocations, larger ones make retries expensive.
_BATCH_SIZES = range(100, 1001)
_TIMEOUTS = range(15, 301)
_MAX_RECORD_AGE_HOURS = 24
# DynamoDB supports strongly consistent replicas in exactly three regions.
_STRONG_REGIONS = 3


class SettingsError(ValueError):
    """Settings contradict each other or the limits of AWS."""


@dataclass(frozen=True, slots=True)
class SyncCode:
    """A Sync and the package that runs it.

    Attributes:
        reference: The Sync as ``module:attribute``.
        table: Name of its table.
        index: Name of its index.
        package: Zip that `make package` builds, with the module inside.
        architecture: Architecture that the package is built for.
    """

    reference: str
    table: str
    index: str
    package: Path
    architecture: Architecture = "arm64"

    @classmethod
    def of(cls, reference: str, package: Path | None = None, architecture: Architecture = "arm64") -> SyncCode:
        """Load a Sync and find its package.

        Args:
            reference: ``module:attribute``; the module must be importable here.
            package: The zip; by default, the one that `make package` builds.
            architecture: Architecture that the package is built for.

        Raises:
            SettingsError: The package does not exist.
            DeclarationError: The Sync cannot be loaded.
        """
        sync = load_sync(reference)
        path = package or PACKAGES / f"function-{architecture}.zip"
        if not path.exists():
            raise SettingsError(f"The package {path} does not exist. Build it with `make package`.")
        return cls(reference, sync.table, sync.index, path, architecture)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Options of the event source mapping and the stream function.

    Attributes:
        batch_size: Records per invocation, 100 to 1,000.
        batch_window_seconds: Time to wait for a full batch.
        parallelization: Concurrent batches per shard.
        max_record_age_hours: Age, below 24, at which a failing record is discarded and reported to a queue.
        timeout_seconds: Longest invocation, 15 to 300. A rebuild waits for it once.
    """

    batch_size: int = 500
    batch_window_seconds: int = 0
    parallelization: int = 1
    max_record_age_hours: int = 20
    timeout_seconds: int = 60

    def __post_init__(self) -> None:
        if self.batch_size not in _BATCH_SIZES:
            raise SettingsError(f"batch_size is {self.batch_size}; it must be between 100 and 1,000.")
        if not 0 < self.max_record_age_hours < _MAX_RECORD_AGE_HOURS:
            raise SettingsError(f"max_record_age_hours is {self.max_record_age_hours}; it must be between 1 and 23.")
        if self.timeout_seconds not in _TIMEOUTS:
            raise SettingsError(f"timeout_seconds is {self.timeout_seconds}; it must be between 15 and 300.")


@dataclass(frozen=True, slots=True)
class DomainSize:
    """Size of a search domain.

    Attributes:
        instance: Instance type of the data nodes.
        nodes: Number of data nodes; two or more are spread over two availability zones.
        volume_gib: Storage of each node in GiB.
        version: Engine version.
    """

    instance: str = "r7g.medium.search"
    nodes: int = 2
    volume_gib: int = 20
    version: str = "OpenSearch_2.19"


@dataclass(frozen=True, slots=True)
class Jwt:
    """Tokens that authorize writes.

    Attributes:
        issuer: URL of the issuer.
        audience: Accepted audiences.
        scopes: A token must have one of these scopes; empty for any.
    """

    issuer: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Options of the HTTP API.

    Attributes:
        requests_per_second: Rate limit.
        burst: Burst limit.
        writers: Tokens that authorize writes; None for signed requests that IAM authorizes.
        origins: Other sites whose pages may call the API, such as ``https://example.org``.
    """

    requests_per_second: int = 50
    burst: int = 100
    writers: Jwt | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarms:
    """ARNs of the SNS topics to notify, by region. Alarms of a region without a topic show only in the console."""

    topics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """A name for all regions in a Route 53 zone.

    Attributes:
        host: The name.
        zone_id: Id of the hosted zone.
        zone_name: Name of the hosted zone.
        continents: Continents (``EU``, ``NA``, ...) that each region serves; the first region serves the others.
    """

    host: str
    zone_id: str
    zone_name: str
    continents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def regional(self, region: str) -> str:
        """Return the name of a region's own endpoint."""
        return f"{region}.{self.host}"

    def served_by(self, region: str) -> str:
        """Return the name that routes to this region or, while it is unhealthy, to another."""
        return f"{region}.serves.{self.host}"

    def fallback_for(self, region: str) -> str:
        """Return the name that routes to the nearest other healthy region."""
        return f"{region}.fallback.{self.host}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Deployment of one Sync to one or more regions.

    Attributes:
        code: The Sync and its package.
        regions: The first region holds the table, the others its replicas.
        account: AWS account id.
        prefix: Start of the stack names.
        existing_table: Whether the table, its stream and its replicas exist already.
        strong: Whether reads see the last write of every region, instead of about a second later; requires exactly
            three regions.
        stream: Options of the event source mapping.
        domain: Size of the search domains.
        service: Options of the HTTP API.
        alarms: Topics to notify.
        address: Name for all regions, if any.
    """

    code: SyncCode
    regions: tuple[str, ...] = ("us-east-1",)
    account: str | None = None
    prefix: str = "Dynadex"
    existing_table: bool = False
    strong: bool = False
    stream: StreamOptions = field(default_factory=StreamOptions)
    domain: DomainSize = field(default_factory=DomainSize)
    service: ServiceOptions = field(default_factory=ServiceOptions)
    alarms: Alarms = field(default_factory=Alarms)
    address: Address | None = None

    def __post_init__(self) -> None:
        if not self.regions or len(set(self.regions)) != len(self.regions):
            raise SettingsError("Name at least one region, and each region only once.")
        if self.strong and len(self.regions) != _STRONG_REGIONS:
            raise SettingsError("Strong consistency requires exactly three regions.")
        unknown = set(self.address.continents) - set(self.regions) if self.address else ()
        if unknown:
            raise SettingsError(f"The address names {', '.join(sorted(unknown))}, but nothing is deployed there.")
