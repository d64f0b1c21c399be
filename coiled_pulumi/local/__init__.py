"""The local AWS: an API server on loopback that the engine, its AWS plugin and boto3 use like the real."""
