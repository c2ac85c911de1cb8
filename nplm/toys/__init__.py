"""Toys: samplers, campaigns that can be resumed, and their stores."""
