"""The commands, one file each: its examples, its options and what it does. `cli.main.TABLE` names them."""
