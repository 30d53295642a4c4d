"""The stand-in for pulumi-resource-aws: the S3 and IAM resource types that the program uses, on loopback only."""
