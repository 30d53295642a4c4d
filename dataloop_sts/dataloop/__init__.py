"""Client of the part of the Dataloop REST API that a connection needs; knows neither Pulumi nor boto3."""

from dataloop_sts.dataloop.auth import Credentials, LoginCredentials, TokenCredentials
from dataloop_sts.dataloop.client import DataloopClient
from dataloop_sts.dataloop.models import (
    INTEGRATION_TYPE,
    Dataset,
    Driver,
    Integration,
    NewDriver,
    Organization,
    Project,
    StsCredentials,
    User,
)
from dataloop_sts.dataloop.transport import Retries, Timeouts

__all__ = [
    "INTEGRATION_TYPE",
    "Credentials",
    "DataloopClient",
    "Dataset",
    "Driver",
    "Integration",
    "LoginCredentials",
    "NewDriver",
    "Organization",
    "Project",
    "Retries",
    "StsCredentials",
    "Timeouts",
    "TokenCredentials",
    "User",
]
