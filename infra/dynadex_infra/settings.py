"""Everything that can be chosen about a deployment, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dynadex.sync import load_sync

PACKAGES = Path(__file__).parents[2] / "build" / "lambda"
Architecture = Literal["arm64", "x86_64"]
# What a batch of the event source mapping may hold: fewer waste invocations, more make a retry expensive.
_BATCH_SIZES = range(100, 1001)
_TIMEOUTS = range(15, 301)
_MAX_RECORD_AGE_HOURS = 24
# DynamoDB keeps strongly consistent copies in exactly so many regions.
_STRONG_REGIONS = 3


class SettingsError(ValueError):
    """Settings that contradict each other or AWS's limits."""


@dataclass(frozen=True, slots=True)
class SyncCode:
    """A Sync as a function runs it: its reference, what it declares, and the zip that holds it."""

    reference: str
    table: str
    index: str
    package: Path
    architecture: Architecture = "arm64"

    @classmethod
    def of(cls, reference: str, package: Path | None = None, architecture: Architecture = "arm64") -> SyncCode:
        """From ``module:attribute``, looked up here; the zip is the one of `make package` unless given."""
        sync = load_sync(reference)
        chosen = package or PACKAGES / f"function-{architecture}.zip"
        if not chosen.exists():
            raise SettingsError(f"there is no {chosen}: build it with `make package`")
        return cls(reference, sync.table, sync.index, chosen, architecture)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The event source mapping and its function. A record that fails until ``max_record_age_hours`` is given up, and
    told of. A rebuild waits once for ``timeout_seconds``, the longest invocation.
    """

    batch_size: int = 500
    batch_window_seconds: int = 0
    parallelization: int = 1
    max_record_age_hours: int = 20
    timeout_seconds: int = 60

    def __post_init__(self) -> None:
        if self.batch_size not in _BATCH_SIZES:
            raise SettingsError(f"batch_size {self.batch_size} is not within 100 and 1000")
        if not 0 < self.max_record_age_hours < _MAX_RECORD_AGE_HOURS:
            raise SettingsError(f"max_record_age_hours {self.max_record_age_hours}: the stream forgets after 24 hours")
        if self.timeout_seconds not in _TIMEOUTS:
            raise SettingsError(f"timeout_seconds {self.timeout_seconds} is not within 15 and 300")


@dataclass(frozen=True, slots=True)
class DomainSize:
    """Data nodes of a search domain, spread over two availability zones where there is more than one."""

    instance: str = "r7g.medium.search"
    nodes: int = 2
    volume_gib: int = 20
    version: str = "OpenSearch_2.19"


@dataclass(frozen=True, slots=True)
class Jwt:
    """Who issues the tokens that writers show, and for whom. ``scopes``: a token must have one of them, where named."""

    issuer: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """The HTTP API. ``writers`` None: whoever may call the API by IAM, with a signed request. ``origins``: other sites
    whose pages may ask it, such as ``https://example.org``.
    """

    requests_per_second: int = 50
    burst: int = 100
    writers: Jwt | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarms:
    """Where alarms go: an SNS topic of each region, by its ARN. Without one, alarms only show in the console."""

    topics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """One name for all regions, in a Route 53 zone. ``continents``: which region serves which (``EU``, ``NA``, ...).

    Everybody else is served by the first region.
    """

    host: str
    zone_id: str
    zone_name: str
    continents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def regional(self, region: str) -> str:
        """The name of one region's own endpoint."""
        return f"{region}.{self.host}"

    def served_by(self, region: str) -> str:
        """The name that leads to this region or, while it is not ready, to another."""
        return f"{region}.serves.{self.host}"

    def stands_in_for(self, region: str) -> str:
        """The name that leads to the nearest other region that is ready."""
        return f"{region}.fallback.{self.host}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One Sync, in one region or more; the first holds the table, the others replicas of it.

    ``strong``: reads see the last write of every region (exactly three regions), instead of about a second later.
    ``existing_table``: the table, its stream and its replicas are there already.
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
            raise SettingsError("name each region once")
        if self.strong and len(self.regions) != _STRONG_REGIONS:
            raise SettingsError("strong consistency takes exactly three regions")
        strangers = set(self.address.continents) - set(self.regions) if self.address else ()
        if strangers:
            raise SettingsError(f"nothing is deployed to {', '.join(strangers)}")
