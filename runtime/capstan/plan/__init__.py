"""Typed capability -> executable plan: names resolved, secrets filled in, kinds chosen."""
