"""The apps whose sessions are measured."""
