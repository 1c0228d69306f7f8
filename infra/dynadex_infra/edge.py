"""DNS names: one for each region, and one for all regions that leads clients to the nearest healthy region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from dynadex_infra.search_service import SearchService
from dynadex_infra.settings import Address

READY = "/health/ready"
# A region is unhealthy after three consecutive failures ten seconds apart, and healthy after three successes.
PERIOD_SECONDS = 10
FAILURES = 3


class RegionalName(Construct):
    """A region's name, such as ``eu-west-1.search.example.org``; its certificate also covers the global name."""

    def __init__(self, scope: Construct, name: str, *, address: Address, region: str, service: SearchService) -> None:
        super().__init__(scope, name)
        zone = _zone(self, address)
        regional = address.regional(region)
        certificate = certificates.Certificate(
            self,
            "Certificate",
            domain_name=regional,
            subject_alternative_names=[address.host],
            validation=certificates.CertificateValidation.from_dns(zone),
        )
        domain = self._mapped_domain("Regional", regional, certificate, service)
        self._mapped_domain("Worldwide", address.host, certificate, service)
        target = targets.ApiGatewayv2DomainProperties(domain.regional_domain_name, domain.regional_hosted_zone_id)
        record = route53.ARecord(
            self, "Record", zone=zone, record_name=f"{regional}.", target=route53.RecordTarget.from_alias(target)
        )
        record.apply_removal_policy(RemovalPolicy.DESTROY)

    def _mapped_domain(
        self, suffix: str, host: str, certificate: certificates.ICertificate, service: SearchService
    ) -> apigateway.DomainName:
        domain = apigateway.DomainName(self, f"{suffix}Domain", domain_name=host, certificate=certificate)
        apigateway.ApiMapping(self, f"{suffix}Mapping", api=service.api, domain_name=domain, stage=service.stage)
        return domain


class WorldwideName(Construct):
    """Geolocation records with the first region as the default; behind each, failover to healthy regions.

    | name | records | route to |
    |---|---|---|
    | ``search.example.org`` | geolocation | the caller's region, by the next name |
    | ``eu-west-1.serves.search.example.org`` | failover | the region itself or, if unhealthy, the next name |
    | ``eu-west-1.fallback.search.example.org`` | latency | the nearest of the other healthy regions |

    Geolocation alone does not suffice: callers who get the default record have no other record to fall back to. Names
    are literal, so this stack depends on no other region and works while one is lost. If no region is healthy, Route 53
    answers as if all were.
    """

    def __init__(self, scope: Construct, name: str, *, address: Address, regions: Sequence[str]) -> None:
        super().__init__(scope, name)
        self._address = address
        checks = {region: self._health_check(region) for region in regions}
        for region, check in checks.items():
            others = {other: its_check for other, its_check in checks.items() if other != region}
            serves = address.served_by(region) if others else address.regional(region)
            for identifier, location in _locations(address, region, is_default=region == regions[0]):
                self._record(identifier, address.host, serves, None if others else check, geo_location=location)
            if others:
                self._failover(region, check, others)

    def _health_check(self, region: str) -> route53.CfnHealthCheck:
        return route53.CfnHealthCheck(
            self,
            f"Health-{region}",
            health_check_config=route53.CfnHealthCheck.HealthCheckConfigProperty(
                type="HTTPS",
                fully_qualified_domain_name=self._address.regional(region),
                resource_path=READY,
                port=443,
                enable_sni=True,
                request_interval=PERIOD_SECONDS,
                failure_threshold=FAILURES,
            ),
        )

    def _failover(
        self, region: str, check: route53.CfnHealthCheck, others: Mapping[str, route53.CfnHealthCheck]
    ) -> None:
        own, fallback = self._address.served_by(region), self._address.fallback_for(region)
        self._record(f"{region}-primary", own, self._address.regional(region), check, failover="PRIMARY")
        self._record(f"{region}-secondary", own, fallback, None, failover="SECONDARY")
        for other, its_check in others.items():
            target = self._address.regional(other)
            self._record(f"{region}-fallback-{other}", fallback, target, its_check, region=other)

    def _record(
        self, identifier: str, name: str, target: str, check: route53.CfnHealthCheck | None, **policy: Any
    ) -> None:
        """Add an alias of another name in the zone; Route 53 skips it while the target or the check is unhealthy."""
        zone_id = self._address.zone_id
        route53.CfnRecordSet(
            self,
            f"Record-{identifier}",
            hosted_zone_id=zone_id,
            name=f"{name}.",
            type="A",
            set_identifier=identifier,
            health_check_id=check.attr_health_check_id if check else None,
            alias_target=route53.CfnRecordSet.AliasTargetProperty(
                dns_name=f"{target}.", hosted_zone_id=zone_id, evaluate_target_health=True
            ),
            **policy,
        )


def _locations(
    address: Address, region: str, *, is_default: bool
) -> Iterator[tuple[str, route53.CfnRecordSet.GeoLocationProperty]]:
    for continent in address.continents.get(region, ()):
        yield f"{region}-{continent}", route53.CfnRecordSet.GeoLocationProperty(continent_code=continent)
    if is_default:
        # Route 53 denotes "everywhere else" by the country *.
        yield f"{region}-default", route53.CfnRecordSet.GeoLocationProperty(country_code="*")


def _zone(scope: Construct, address: Address) -> route53.IHostedZone:
    return route53.HostedZone.from_hosted_zone_attributes(
        scope, "Zone", hosted_zone_id=address.zone_id, zone_name=address.zone_name
    )
