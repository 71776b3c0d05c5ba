"""Errors of backups: storage, following, damage, restore and proof."""

from redyard.errors.base import RedyardError


class MomentUnknown(RedyardError):
    """The moment that was asked for cannot be restored."""

    status = 78
    text = "{at} cannot be restored: {known}"
    hint = "`redyard backups list` shows the moments that can be."


class StorageBroken(RedyardError):
    """The storage of backups refused, failed, or does not have what it should."""

    status = 79
    text = "the storage {storage} failed at {name}: {reason}"
    hint = "Backups go on in the spool meanwhile. Mend the storage; what waits is put there by itself."


class FollowRefused(RedyardError):
    """A server does not let a replica follow it."""

    status = 80
    text = "the server cannot be followed: {reason}"
    hint = "Its user needs +psync +replconf +ping. Where replication is shut off, backups are made by reading the keys."


class BackupDamaged(RedyardError):
    """An object in the storage of backups is not what was put there."""

    status = 81
    text = "the backup {name} is damaged: {reason}"
    hint = "Moments that do not need it can be restored: `redyard backups list`. A copy of it, put back, mends it."


class SpoolFull(RedyardError):
    """What waits for the storage of backups has used up the room that it may take."""

    status = 82
    text = "{size} of backups wait in {path}: more may not"
    hint = "Mend the storage; what waits is put there by itself. Moments from here on are missing until then."


class TargetNotEmpty(RedyardError):
    """What shall take a restored state has data of its own."""

    status = 83
    text = "{target} is not empty: {found}"
    hint = "Name one that is. To put a state in the place of another: `redyard backups restore NAME --over`."


class NotRestored(RedyardError):
    """A moment could not be made again; what was begun was removed."""

    status = 84
    text = "{at} of {name} was not restored: {reason}"
    hint = "Nothing was changed. `redyard backups verify {name}` says which backups are whole."


class NotProved(RedyardError):
    """A restored state is not what it should be."""

    status = 96
    text = "the backups of {name} were not proved: {reason}"
    hint = "Take a new base at once (`redyard backups capture {name} --base`), and keep what is there for a look."


class BadBackupKey(RedyardError):
    """A key of encrypted backups is missing, unreadable or another one's."""

    status = 97
    text = "{name} cannot be used: {reason}"
    hint = "REDYARD_BACKUPS_RECIPIENT is age's public key, REDYARD_BACKUPS_IDENTITY the file with the secret one."


class PrimaryRefused(RedyardError):
    """A server cannot be filled as our replica."""

    status = 98
    text = "the target cannot follow us: {reason}"
    hint = "It must reach this machine, and its user must be allowed REPLICAOF. Plain commands are the other way."


class NoBackups(RedyardError):
    """There are no backups under that name."""

    status = 99
    text = "there are no backups of {name}: {reason}"
    hint = "The yard backs up every store; name one, or a storage (a directory, s3://BUCKET/PATH)."


class SecretInAddress(RedyardError):
    """The address of a storage has a secret in it, which would be in logs, listings and the process list."""

    status = 113
    text = "the storage's address {address} has a secret in it"
    hint = "Write it without; the key comes from the environment, as the store's own tools have it (AWS_ACCESS_KEY_ID)."


class SecretShown(RedyardError):
    """A password was given on the command line, for a long time, and cannot be taken out of the process list here."""

    status = 114
    text = "a password on the command line would be in the process list for as long as `{command}` runs"
    hint = "Name no address, and set REDIS_URL or REDIS_URL_FILE; or write - for it, and give it on stdin."


class CannotFollow(RedyardError):
    """A server lets nobody follow it, as a replica does: hosted ones often do not."""

    status = 120
    text = "the server lets nobody follow it: {reason}"
    hint = "Its keys are read instead, now and then (`--every`): then these moments can be restored, and none between."


class CannotRead(RedyardError):
    """The keys of a server cannot be read for a snapshot."""

    status = 121
    text = "the server's keys cannot be read: {reason}"
    hint = "Its user needs ~* and +scan +dump +pttl +select +info, and for all of it +multi +exec +function|list."


class TargetRefused(RedyardError):
    """What shall take a restored state did not take all of it; what it took was removed again."""

    status = 122
    text = "{target} did not take the moment: {reason}"
    hint = "Nothing of it was left there. Give it the room or the right that it names, or choose another target."
