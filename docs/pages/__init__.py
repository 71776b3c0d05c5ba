"""The reference pages, each a pure function of a table of the code."""
