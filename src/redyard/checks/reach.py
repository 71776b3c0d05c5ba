"""Reaching the server: its name, its address, the protocol on the port, TLS, the way there and the clock."""

from redyard.checks.case import Case, Check, Found, Proof, Severity, Step
from redyard.checks.words import run, setting

FAR = 0.005
"""Seconds of a round trip from which the way, not the server, decides how fast an app is."""

SKEW = 1.0
"""Seconds by which two clocks may differ."""

CHURN_RATE, CHURN_SHARE = 5.0, 0.2
"""New connections a second, and as a share of all commands, from which connecting is the work."""

CHURN_SPAN = 60.0
"""Seconds of a server's life over which its counters are judged; in a younger one, what grew between two readings."""

SOON = 21 * 86400.0
"""Seconds before a certificate's end from which it is to be renewed."""

SHORT_TIMEOUT = 60
"""Seconds of `timeout` below which ordinary pauses of an app are cut."""


def address(case: Case) -> Found | None:
    """Look at the address itself."""
    step = case.step("address")
    if step.ok:
        return None
    railway = "${{" in step.said or "reference" in step.said
    cause = "a reference variable was not resolved by the platform" if railway else "the address cannot be read"
    remedy = "railway variables --set 'REDIS_URL=${{Redis.REDIS_URL}}'" if railway else 'echo "$REDIS_URL"'
    return Found({"address": step.said}, cause, remedy)


def name(case: Case) -> Found | None:
    """Look at the resolver's answer."""
    step = case.step("resolve")
    told = "ENOTFOUND" in case.facts.app_error or "Name or service not known" in case.facts.app_error
    if step.ok and not told:
        return None
    evidence = {"host": case.host, "resolver": step.fault or case.facts.app_error, "said": step.said}
    if case.host.endswith(".railway.internal") and case.facts.environment != "railway":
        cause = "names of Railway's private network exist inside the same project and environment alone"
        return Found(evidence, cause, "railway variables --service Redis | grep REDIS_PUBLIC_URL")
    if case.host.endswith(".railway.internal"):
        cause = "another project or environment, or a client that asks for IPv4 alone (ioredis: family=0)"
        return Found(evidence, cause, f"getent ahosts {case.host}")
    if step.fault in {"servfail", "silent"}:
        word = "failed" if step.fault == "servfail" else "did not answer"
        return Found(evidence, f"the resolver itself {word}: the name may well exist", f"dig {case.host}")
    return Found(evidence, "no server of the names knows this host", f"getent ahosts {case.host}")


def family(case: Case) -> Found | None:
    """Look whether one address answers and another refuses."""
    step = case.step("connect")
    answers = [host for host, state in step.facts.items() if state == "ok"]
    refuses = [host for host, state in step.facts.items() if state == "refused"]
    if not answers or not refuses:
        return None
    cause = f"it listens on {answers[0]} and not on {refuses[0]}: a client that asks for one family alone fails"
    severity = Severity.INFO if step.ok else Severity.CRITICAL
    return Found(dict(step.facts), cause, setting("bind", "'* -::*'"), severity)


def refused(case: Case) -> Found | None:
    """Look whether nobody listens."""
    step = case.step("connect")
    if step.fault != "refused" or "ok" in step.facts.values():
        return None
    log = {"log": case.facts.log.splitlines()[-1]} if case.facts.log else {}
    if case.path:
        evidence = {"socket": case.path, "said": step.said, **log}
        return Found(evidence, "no server listens on this socket: not started, or another path", f"ls -l {case.path}")
    return Found({**step.facts, **log}, f"nothing listens on port {case.port}: not started, or another port", START)


START = "redyard status || systemctl status redis-server valkey-server"


def silent_way(case: Case) -> Found | None:
    """Look whether the connection is not even refused."""
    if case.step("connect").fault not in {"timeout", "unreachable"}:
        return None
    cause = "packets are dropped: a firewall, a wrong network, or a listener whose queue is full"
    return Found(dict(case.step("connect").facts), cause, f"nc -vz -w 2 {case.host} {case.port}")


def frozen(case: Case) -> Found | None:
    """Look whether it accepts and never answers."""
    if case.fault("greet", "authenticate", "ping", "select", "role", "info") != "silent":
        return None
    evidence = {"connect": "ok", "ping": case.step("ping").said or "no answer", "again": case.step("again").said}
    cause = "the process is stopped, swaps, or runs one long command or script"
    return Found(evidence, cause, run("--latency") + "; ps -o pid,stat,wchan,cmd -C redis-server,valkey-server")


def paused(case: Case) -> Found | None:
    """Look whether it answers, and not to a read, a write or a script."""
    step = next((case.step(name) for name in ("read", "write", "script") if case.step(name).fault == "silent"), None)
    if step is None:
        return None
    cause = "commands of this kind are held back: CLIENT PAUSE, or one that takes long runs just now"
    return Found({"PING": "answers", step.name: step.said}, cause, run("CLIENT UNPAUSE") + "; " + run("SLOWLOG GET 10"))


def unexplained(case: Case) -> Found | None:
    """Look for a rung that broke in a way that no other check names."""
    step = next((step for step in case.steps.values() if step.name in RUNGS and _is_strange(step)), None)
    cluster = case.reading.info.get("cluster_enabled") == "1"  # it has no SELECT, as another check says
    if step is None or (step.name == "greet" and step.fault == "closed") or (step.name == "select" and cluster):
        return None
    if sentinel(case):  # it has no such commands
        return None
    if "index is out of range" in step.said:
        cause = f"the server has no database {case.database}: it has fewer, or none but 0"
        return Found({"SELECT": step.said}, cause, "REDIS_URL=redis://…/0  # or: " + run("CONFIG GET databases"))
    cause = f"the server or what stands before it refuses this step ({step.name})"
    return Found({step.name: step.said or step.fault}, cause, run("COMMAND INFO get set eval ping select auth"))


RUNGS = frozenset({"tls", "greet", "authenticate", "ping", "select", "read", "write", "script"})
EXPLAINED = frozenset(
    [
        "silent",
        "not-redis",
        "tls",
        "plain",
        "unknown-authority",
        "expired",
        "not-yet-valid",
        "wrong-name",
        "wrong-purpose",
        "old-protocol",
        "client-certificate",
        "client-refused",
        "unreadable-file",
        "DENIED",
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
        "OOM",
        "MISCONF",
        "READONLY",
        "MASTERDOWN",
        "NOREPLICAS",
        "CLUSTERDOWN",
        "BUSY",
        "LOADING",
        "MOVED",
    ]
)
"""Faults of a rung that another check names."""


def _is_strange(step: Step) -> bool:
    return not step.ok and step.fault not in EXPLAINED and "max number of clients" not in step.said


def stranger(case: Case) -> Found | None:
    """Look whether another program answers."""
    step = case.step("greet")
    if step.fault not in {"not-redis", "closed"}:
        return None
    cause = "a web server answers there" if step.said.startswith(("HTTP", "<")) else "what listens there is no Redis"
    if step.fault == "closed":
        cause = "the connection was closed at the first command, as no Redis does"
    return Found({"first bytes": step.said}, cause, f"ss -ltnp 'sport = :{case.port}'")


def sentinel(case: Case) -> Found | None:
    """Look whether it is a Sentinel, which keeps no data."""
    if case.reading.mode != "sentinel":
        return None
    evidence = {"redis_mode": "sentinel"}
    return Found(evidence, "a Sentinel names the primary and keeps no data", run("SENTINEL MASTERS"))


def far(case: Case) -> Found | None:
    """Look whether the way takes longer than the work."""
    trip = float(case.step("ping").facts.get("best_seconds", 0))
    work = case.reading.row("cmdstat_ping").get("usec_per_call", 0.0)
    if trip < FAR or trip * 1e6 < 20 * work:
        return None
    evidence = {"round_trip_ms": round(trip * 1000, 1), "cmdstat_ping usec_per_call": work}
    if case.host.endswith((".rlwy.net", ".railway.app")) and case.facts.environment == "railway":
        return Found(evidence, "the public proxy is used inside Railway", "railway variables | grep REDIS_URL")
    return Found(evidence, "each command waits for the network: another region, or a proxy between", f"mtr {case.host}")


def clock(case: Case) -> Found | None:
    """Look whether the two clocks agree."""
    there, here = case.reading.server_time, case.reading.taken_at
    if there is None or not here or abs(here - there) <= SKEW + case.step("ping").seconds:
        return None
    evidence = {"TIME": round(there, 1), "here": round(here, 1), "seconds": round(here - there, 1)}
    return Found(evidence, "one of the two machines keeps wrong time", "timedatectl set-ntp true")


def idle(case: Case) -> Found | None:
    """Look whether idle connections are cut."""
    seconds = case.reading.setting("timeout") or 0
    if not seconds:
        return None
    cause = f"the server closes connections that are idle for {seconds} s: the next command of a quiet pool fails"
    severity = Severity.WARNING if seconds < SHORT_TIMEOUT else Severity.INFO
    return Found({"timeout": seconds}, cause, setting("timeout", "0"), severity)


def churn(case: Case) -> Found | None:
    """Look whether the app connects for each command."""
    reading, rates = case.reading, case.rates
    young = reading.uptime < CHURN_SPAN  # what connects once does so now
    count, seconds = (rates.change, rates.seconds) if young else (reading.number, reading.uptime)
    new, commands = count("total_connections_received"), count("total_commands_processed")
    if new < 50 or new < CHURN_RATE * seconds or new < CHURN_SHARE * commands:
        return None
    evidence = {"total_connections_received": int(new), "total_commands_processed": int(commands), "seconds": seconds}
    cause = "a connection is made for a few commands each: greetings are most of the work"
    return Found(evidence, cause, "redyard.Redis.from_env()  # one client a process, made at its start")


def plain_port(case: Case) -> Found | None:
    """Look whether TLS is spoken to a port without."""
    if case.step("tls").fault != "plain":
        return None
    cause = "the port speaks plain Redis and the address says rediss://"
    return Found({"tls": case.step("tls").said, "plain PING": "+PONG"}, cause, "REDIS_URL=redis://…  # one s less")


def tls_port(case: Case) -> Found | None:
    """Look whether plain text is spoken to a port with TLS."""
    if case.fault("greet") != "tls":
        return None
    cause = "the port speaks TLS and the address says redis://"
    return Found(
        {"PING": case.step("greet").said, "TLS": "handshake held"}, cause, "REDIS_URL=rediss://…  # one s more"
    )


def authority(case: Case) -> Found | None:
    """Look whether the certificate's authority is known."""
    if case.step("tls").fault != "unknown-authority":
        return None
    cause = "the certificate is signed by an authority that this machine does not know"
    return Found(_certificate(case), cause, "export REDIS_CA_FILE=/path/to/ca.crt  # never switch verification off")


def expiry(case: Case) -> Found | None:
    """Look at the certificate's last day."""
    step = case.step("tls")
    left = float(step.facts.get("seconds_left", SOON))
    if step.fault == "not-yet-valid":
        cause = "the certificate is not valid yet: this machine's clock is behind, or was when it was made"
        return Found(_certificate(case), cause, "timedatectl set-ntp true", Severity.CRITICAL)
    if step.fault != "expired" and left >= SOON:
        return None
    severity = Severity.CRITICAL if step.fault == "expired" else Severity.WARNING
    cause = "the certificate has expired" if step.fault == "expired" else "the certificate expires soon"
    return Found(_certificate(case), cause, setting("tls-cert-file", "/path/to/new.crt"), severity)


def host_name(case: Case) -> Found | None:
    """Look whether the certificate is for this name."""
    if case.step("tls").fault != "wrong-name":
        return None
    cause = f"the certificate is not for {case.host}"
    return Found(_certificate(case), cause, "REDIS_URL=rediss://NAME-OF-THE-CERTIFICATE:…")


def unverified(case: Case) -> Found | None:
    """Look whether verification is switched off."""
    if not case.tls or case.verifies:
        return None
    would = case.step("tls").facts.get("verified", "unknown")
    cause = "the client takes any certificate, also one of somebody between"
    remedy = "export REDIS_CA_FILE=/path/to/ca.crt  # and remove ssl_cert_reqs=none"
    return Found({"ssl_cert_reqs": "none", "with verification": would}, cause, remedy)


def protocol(case: Case) -> Found | None:
    """Look whether the two sides have a version of TLS in common."""
    if case.step("tls").fault != "old-protocol":
        return None
    cause = "the server speaks only versions of TLS that are broken, or this client only such"
    return Found(_certificate(case), cause, setting("tls-protocols", "'TLSv1.2 TLSv1.3'"))


def purpose(case: Case) -> Found | None:
    """Look whether the certificate is one for servers."""
    if case.step("tls").fault != "wrong-purpose":
        return None
    return Found(_certificate(case), "the certificate was made for another purpose", "redyard tls renew NAME")


def own_certificate(case: Case) -> Found | None:
    """Look whether the server wants a certificate of its clients."""
    fault = case.fault("tls", "greet")
    if fault not in {"client-certificate", "client-refused"}:
        return None
    said = case.step("tls").said or case.step("greet").said
    if fault == "client-certificate":
        cause = "the server lets in only clients with a certificate, and none was shown"
        return Found({"said": said}, cause, "export REDIS_CERT_FILE=/path/to/client.pem  # with its key")
    cause = "the certificate that this client shows has ended, or another authority signed it"
    return Found({"said": said}, cause, "redyard vars  # REDIS_CERT_FILE names the right one")


def file(case: Case) -> Found | None:
    """Look whether the files of the settings can be used."""
    if case.step("tls").fault != "unreadable-file":
        return None
    cause = "a file that the settings name is not there, cannot be read, or holds no certificate"
    return Found({"said": case.step("tls").said}, cause, 'ls -l "$REDIS_CA_FILE" "$REDIS_CERT_FILE" "$REDIS_KEY_FILE"')


def _certificate(case: Case) -> dict[str, object]:
    step = case.step("tls")
    return {"host": case.host, "said": step.said, **step.facts}


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("-", "address", CRITICAL, Proof.PROOF, "The address cannot be used", address),
    Check("P01", "name", CRITICAL, Proof.PROOF, "The host's name does not resolve", name),
    Check("P02", "family", CRITICAL, Proof.PROOF, "It listens on one family of addresses alone", family),
    Check("P03", "refused", CRITICAL, Proof.PROOF, "Nothing listens there", refused),
    Check("P04", "black-hole", CRITICAL, Proof.PROOF, "The connection is never accepted", silent_way),
    Check("P05", "frozen", CRITICAL, Proof.PROOF, "It accepts connections and does not answer", frozen),
    Check("-", "held-back", CRITICAL, Proof.PROOF, "Commands are held back", paused),
    Check("-", "refused-step", CRITICAL, Proof.PROOF, "A step is refused", unexplained),
    Check("P06", "stranger", CRITICAL, Proof.PROOF, "What listens there is no Redis", stranger),
    Check("-", "sentinel", CRITICAL, Proof.PROOF, "This is a Sentinel", sentinel),
    Check("P07", "far", WARNING, Proof.PROOF, "The server is far away", far),
    Check("P08", "clock", WARNING, Proof.PROOF, "The clocks differ", clock),
    Check("P09", "idle", WARNING, Proof.STATE, "Idle connections are cut", idle),
    Check("P10", "churn", WARNING, Proof.TREND, "Connections are not kept", churn),
    Check("P11", "plain-port", CRITICAL, Proof.PROOF, "TLS is spoken to a plain port", plain_port),
    Check("P12", "tls-port", CRITICAL, Proof.PROOF, "Plain text is spoken to a TLS port", tls_port),
    Check("P13", "authority", CRITICAL, Proof.PROOF, "The certificate's authority is unknown", authority),
    Check("P14", "expiry", WARNING, Proof.PROOF, "The certificate ends", expiry),
    Check("P15", "host-name", CRITICAL, Proof.PROOF, "The certificate is for another name", host_name),
    Check("-", "protocol", CRITICAL, Proof.PROOF, "No version of TLS in common", protocol),
    Check("-", "purpose", CRITICAL, Proof.PROOF, "The certificate is not for servers", purpose),
    Check("-", "client-certificate", CRITICAL, Proof.PROOF, "The server wants another certificate", own_certificate),
    Check("-", "certificate-file", CRITICAL, Proof.PROOF, "A file of the TLS settings cannot be used", file),
    Check("P16", "unverified", WARNING, Proof.STATE, "Certificates are not verified", unverified),
)
