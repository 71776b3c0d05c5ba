"""The yard: a project's instances, the process that runs them, and the door through which commands reach it."""
