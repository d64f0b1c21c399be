"""What is asked of AWS directly: the only user of boto3 outside of instances."""
