"""What lies open: passwords and data at rest, and an engine that lets in more than it should. For engines of a yard."""

import shlex

from redyard.checks.case import Case, Check, Exposure, Found, Proof, Severity

NOTHING = Exposure()


def unlocked(case: Case) -> Found | None:
    """Look whether the engine answers without a password."""
    seen = _seen(case)
    ping = case.step("greet").facts.get("without_password", "")
    if case.facts.exposure is None or (ping != "PONG" and not seen.without_password):
        return None
    evidence: dict[str, object] = {"PING without password": ping or "not tried"}
    if seen.without_password:
        evidence["users without password"] = ", ".join(seen.without_password)
    return Found(evidence, "somebody changed the engine's users: whoever reaches it is let in", _restart(case))


def excess(case: Case) -> Found | None:
    """Look whether the app's user may do what is dangerous to others."""
    if not (found := _seen(case).excess):
        return None
    cause = "somebody gave the app's user more rights than it needs"
    return Found({"the user default may": ", ".join(found)}, cause, _restart(case))


def strangers(case: Case) -> Found | None:
    """Look whether the engine has users that the yard did not make."""
    if not (found := _seen(case).strangers):
        return None
    cause = "somebody made users by hand: they are gone after the next restart, and nobody exchanges their passwords"
    remedy = f"redyard connect {_seen(case).name} --admin -- ACL DELUSER {' '.join(found)}"
    return Found({"users": ", ".join(found)}, cause, remedy)


def listens(case: Case) -> Found | None:
    """Look whether the engine listens where it should not."""
    seen = _seen(case)
    if not seen.listening:
        return None
    evidence = {"listens on": ", ".join(seen.listening), "wanted": seen.bind}
    return Found(evidence, "somebody changed the engine's `bind`: others reach it than were meant", _restart(case))


def modes(case: Case) -> Found | None:
    """Look whether other users of the machine may read the yard's files."""
    if not (found := _seen(case).open_paths):
        return None
    evidence = {path: f"mode {mode}" for path, mode in found.items()}
    paths = " ".join(shlex.quote(path) for path in found)
    cause = "other users of this machine may use what only its owner should: passwords, data, sockets"
    return Found(evidence, cause, f"chmod go-rwx {paths}")


def tracked(case: Case) -> Found | None:
    """Look whether version control keeps the yard."""
    if not (found := _seen(case).tracked):
        return None
    cause = "passwords in a repository are everybody's who has a copy, also of its past"
    forget = f"git rm -r --cached -- {' '.join(map(shlex.quote, found))}"
    remedy = f"{forget} && redyard credentials rotate {_seen(case).name} --user all"
    return Found({"kept by git": ", ".join(found)}, cause, remedy)


def image(case: Case) -> Found | None:
    """Look whether the yard goes into an image."""
    if not (found := _seen(case).build_context):
        return None
    cause = "the yard is in the directory that is sent to the builder, and no .dockerignore leaves it out"
    folder, name = found.rpartition("/")[0], _seen(case).directory.rpartition("/")[2]
    return Found({"Dockerfile": found}, cause, f"echo '**/{name}' >> {shlex.quote(folder + '/.dockerignore')}")


def _restart(case: Case) -> str:
    return f"redyard restart {_seen(case).name}"


def _seen(case: Case) -> Exposure:
    return case.facts.exposure or NOTHING


TABLE = (
    Check("-", "unlocked", Severity.CRITICAL, Proof.PROOF, "An engine of the yard needs no password", unlocked),
    Check("-", "excess", Severity.CRITICAL, Proof.PROOF, "The app's user may do too much", excess),
    Check("-", "strangers", Severity.WARNING, Proof.PROOF, "There are users that nobody looks after", strangers),
    Check("-", "listens", Severity.CRITICAL, Proof.PROOF, "The engine listens where it should not", listens),
    Check("-", "modes", Severity.CRITICAL, Proof.PROOF, "Other users may read the yard", modes),
    Check("-", "tracked", Severity.CRITICAL, Proof.PROOF, "Version control keeps the yard", tracked),
    Check("-", "image", Severity.WARNING, Proof.PROOF, "The yard goes into an image", image),
)
