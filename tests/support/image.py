"""Builds and runs a Dockerfile without Docker: each stage is this machine's root with a layer of its own.

The steps are read from the Dockerfile and done in their order, at their own paths, by their own user. It is started by
`unshare`, so that mounts, processes and files are gone when it ends:

    unshare --mount --pid --fork --kill-child python -m tests.support.image DOCKERFILE CONTEXT PLAN

PLAN is a file of JSON: `build`, variables of the steps; `environ`, `command` and `check` (its health) of the container;
`lines`, for each of its runs the shell commands that are done meanwhile. What they said is printed as JSON.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

LATER = 30.0
"""Seconds for a container to become healthy."""


@dataclass
class Stage:
    """An image in the making: its root, and what the container is started with."""

    root: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    user: str = "root"
    directory: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    signal: str = "SIGTERM"

    def words(self, command: list[str], **environ: str) -> list[str]:
        """The command, in the root, as the user, in the directory."""
        inside = ["env", "--ignore-environment", f"--chdir={self.directory}"]
        inside += [f"{name}={value}" for name, value in {**self.environ, **environ}.items()]
        login = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"]
        return ["chroot", str(self.root), *login, *inside, *command]


def instructions(text: str) -> list[tuple[str, str]]:
    """The steps of a Dockerfile: each its word and the rest of its line."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in lines if line.strip()]


def context(source: Path, rules: list[str]) -> list[Path]:
    """The files of a build context: the last rule of its .dockerignore that fits a file or a parent decides."""
    files = (path.relative_to(source) for top in tops(source, rules) for path in [top, *top.rglob("*")])
    return [path for path in files if (source / path).is_file() and not ignored(path, rules)]


def tops(source: Path, rules: list[str]) -> list[Path]:
    """Where files can be that are not ignored: a list that begins with `*` names them."""
    return [source / rule[1:] for rule in rules if rule.startswith("!")] if "*" in rules else [source]


def ignored(path: Path, rules: list[str]) -> bool:
    """Say whether a file is left out."""
    names = [str(path), *map(str, path.parents[:-1])]
    verdict = False
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        candidates = [part for name in names for part in (name, Path(name).name)] if "**/" in rule else names
        if any(fnmatch.fnmatchcase(name, pattern) for name in candidates):
            verdict = not rule.startswith("!")
    return verdict


def base(root: Path) -> Stage:
    """Mount this machine's root under a layer of its own: the image that FROM names, where no registry is."""
    layers = [root / name for name in ("upper", "work", "merged")]
    for layer in layers:
        layer.mkdir(parents=True)
    upper, work, merged = layers
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", str(merged))
    for name in ("dev", "proc"):
        mount("--rbind", f"/{name}", f"{merged}/{name}")
    mount("-t", "tmpfs", "tmpfs", f"{merged}/tmp")
    checkout = Path(sys.prefix).parent
    own = merged / checkout.relative_to("/")
    if not own.exists():  # it is below /tmp, of which the image has one of its own
        own.mkdir(parents=True)
        mount("--rbind", str(checkout), str(own))
    for path in (Path(sys.executable).resolve(), Path(sys.prefix)):  # below /root they are nobody else's to run
        for parent in path.parents:
            inside = merged / parent.relative_to("/")
            inside.chmod(inside.stat().st_mode | 0o055)
    return Stage(merged)


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def build(dockerfile: Path, source: Path, area: Path, environ: dict[str, str]) -> Stage:
    """Do all steps and return the last stage; `environ` is for the steps alone."""
    stages: dict[str, Stage] = {}
    rules = Path(f"{dockerfile}.dockerignore").read_text().split()
    for step, rest in instructions(dockerfile.read_text()):
        if step == "FROM":
            _, _, name = rest.partition(" AS ")
            stage = stages[name] = base(area / str(len(stages)))
        elif step == "COPY":
            copy(stage, rest, stages, source, rules)
        elif step == "RUN":
            subprocess.run(stage.words(["/bin/sh", "-c", rest], **environ), check=True)
        else:
            note(stage, step, rest)
    return stage


def copy(stage: Stage, rest: str, stages: dict[str, Stage], source: Path, rules: list[str]) -> None:
    """Copy the context, or a directory of an earlier stage."""
    *options, origin, target = rest.split()
    place = stage.root / target.lstrip("/")
    if options:
        earlier = stages[options[0].removeprefix("--from=")]
        shutil.copytree(earlier.root / origin.lstrip("/"), place, symlinks=True)
        return
    for path in context(source / origin, rules):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / origin / path, place / path)


def note(stage: Stage, step: str, rest: str) -> None:
    """Remember what the container is started with; a step that nobody knows is an error."""
    if step == "ENV":
        name, _, value = rest.partition("=")
        stage.environ[name] = value
    elif step == "ENTRYPOINT":
        stage.entrypoint = json.loads(rest)
    elif step in {"USER", "WORKDIR", "STOPSIGNAL"}:
        setattr(stage, {"USER": "user", "WORKDIR": "directory", "STOPSIGNAL": "signal"}[step], rest)
    elif step not in {"EXPOSE", "CMD", "VOLUME"}:
        raise ValueError(step)


def run(image: Stage, command: list[str], check: str, lines: list[str]) -> dict[str, object]:
    """Run a container until it is healthy and the lines are done, stop it, and tell what was seen."""
    with subprocess.Popen(image.words([*image.entrypoint, *command]), stdout=sys.stderr) as container:
        deadline = time.monotonic() + LATER
        health = image.words(["sh", "-c", check])
        while subprocess.run(health, stderr=subprocess.DEVNULL, check=False).returncode:
            assert time.monotonic() < deadline, "it does not become healthy"
            assert container.poll() is None, "it ended"
            time.sleep(0.05)
        user = os.stat(f"/proc/{container.pid}").st_uid
        said = [subprocess.check_output(image.words(["sh", "-c", line]), text=True).strip() for line in lines]
        subprocess.run(["kill", "-s", image.signal, str(container.pid)], check=True)
        return {"user": user, "said": said, "status": container.wait(150)}


def main(dockerfile: str, source: str, plan: str) -> None:
    """Build, run twice, print."""
    wanted = json.loads(Path(plan).read_text())
    area = Path("/mnt")  # a file system that is not the root's own, as an overlay wants it
    mount("-t", "tmpfs", "tmpfs", str(area))
    mount("-t", "proc", "proc", "/proc")
    image = build(Path(dockerfile), Path(source), area, wanted["build"])
    image.environ |= wanted["environ"]
    print(json.dumps([run(image, wanted["command"], wanted["check"], lines) for lines in wanted["lines"]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
