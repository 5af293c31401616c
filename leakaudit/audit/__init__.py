"""The audit: configuration, plan, cells, engine, judgement."""
