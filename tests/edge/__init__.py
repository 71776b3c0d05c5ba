"""The edge: TLS for an engine that has none."""
