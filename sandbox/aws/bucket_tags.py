"""Tags that a bucket gets as it is made, which moto passes over.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
"""

from collections.abc import Mapping
from xml.etree import ElementTree

from moto.s3.models import s3_backends

from sandbox.aws.directory import PARTITION
from sandbox.aws.http_request import HttpRequest

_ENTRY = "{*}Tags/{*}Tag"


def of_creation(request: HttpRequest) -> dict[str, str]:
    """The tags in the body of a CreateBucket; none where there are none, or where moto will refuse the body."""
    try:
        root = ElementTree.fromstring(request.body or b"<none/>")  # noqa: S314 - from this machine's own programs
    except ElementTree.ParseError:
        return {}
    return {entry.findtext("{*}Key", ""): entry.findtext("{*}Value") or "" for entry in root.iterfind(_ENTRY)}


def store(account: str, bucket: str, tags: Mapping[str, str]) -> None:
    """Gives a bucket that was just made its tags."""
    if tags:
        s3_backends[account][PARTITION].put_bucket_tagging(bucket, dict(tags))
