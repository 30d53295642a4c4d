"""Connect a customer's S3 buckets to Dataloop over AWS STS, as code."""
