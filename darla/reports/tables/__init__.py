"""The tables of reports and studies."""
