"""The command line: `main` holds the table of commands, `output` prints, `commands` has one file a command."""
