"""Backups: base snapshots and the followed stream of writes, from which every moment can be made again."""
