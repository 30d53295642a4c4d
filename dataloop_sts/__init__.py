"""Connect a customer's S3 buckets to Dataloop over AWS STS, as code."""

from dataloop_sts.errors import DataloopStsError
from dataloop_sts.spec import ConnectionSpec

__all__ = ["ConnectionSpec", "DataloopStsError"]
