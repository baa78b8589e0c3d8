"""Everything that is written for people: pages, tables, figures."""
