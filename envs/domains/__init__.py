"""Domains: factor spaces, contexts, domains and transfer tasks."""
