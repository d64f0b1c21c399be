"""The user's vocabulary: frozen Pydantic models, and the way from YAML to them."""
