"""Thin adapters between Ray and the driver; nothing else imports ray."""
