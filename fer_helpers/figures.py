"""Kept until the last notebook has moved to `plots`."""

from fer_helpers.plots import show, show_table, table_html

__all__ = ["show", "show_table", "table_html"]
