"""The exchange: messages, links, recording, traces."""
