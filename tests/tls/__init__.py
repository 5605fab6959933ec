"""TLS: certificates, engine, layer."""
