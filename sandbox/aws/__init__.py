"""The sandbox's AWS: S3, IAM and STS on the loopback interface, with IAM enforced as AWS documents it."""
