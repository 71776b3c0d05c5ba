"""Every rule fires in a state of a real engine that it is for, and is quiet in those that are well.

The readings were recorded by `python -m tests.alerts.record`.
"""

import re

import pytest

from redyard.alerts.rules import BY_NAME, TABLE
from redyard.metrics import KIT, TABLE as METRICS
from tests.alerts.record import COMMAND, STATES
from tests.alerts.replay import ENGINES, GB, RECORDED, Case, firing, role

VALKEY, REDIS7 = ("valkey",), ("redis7",)
DAY = 86400.0
WELL = ("quiet", "workers", "replica", "full_cache")
MANY = 'redyard_queue_jobs_ended_total{queue="mail",state="%s"}'

FIRES = {
    "Down": Case(away=True),
    "EngineFailed": Case(away=True, facts={"redyard_instance_failed": 1}),
    "EngineCrashed": Case(facts={"redyard_instance_crashes": 2}),
    "WritesFail": Case("full", facts={'redyard_probe_success{probe="write"}': 0}),
    "LoadsForLong": Case("loading"),
    "WritesWereRefused": Case("full"),
    "StoreNearlyFull": Case("full"),
    "StoreFillsUp": Case("full"),
    "StoreFullSoon": Case("filling", seconds=600, trend=True),
    "StoreEvicts": Case("evicting"),
    "ClientsEvicted": Case("clients_evicted"),
    "Fragmented": Case("fragmented", REDIS7),
    "MachineNearlyFull": Case("full", facts={"redyard_machine_memory_bytes": 9e6}),
    "SaveNeedsMore": Case("full", facts={"redyard_machine_memory_bytes": 8e6}),
    "ScriptsPileUp": Case("scripts", REDIS7),
    "ReplicaBuffersGrow": Case("replica_lags", fields={"mem_clients_slaves": str(300 << 20)}),
    "CacheMisses": Case("misses"),
    "CacheThrashes": Case("thrash"),
    "ExpiryStorm": Case("expiry_storm"),
    "ConnectionsNearlyUsed": Case("connections"),
    "ConnectionsRefused": Case("refused"),
    "ConnectionsNotKept": Case("churn"),
    "ConnectionsGrow": Case("connections", seconds=3600, trend=True),
    "SlowReadersCut": Case("overflow", VALKEY),
    "LoginsFail": Case("logins", VALKEY),
    "RightsMissing": Case("rights", VALKEY),
    "CertificateEnds": Case(facts={"redyard_certificate_expires_seconds": 2 * DAY}),
    "CertificateEndsSoon": Case(facts={"redyard_certificate_expires_seconds": 20 * DAY}),
    "CommandsSlow": Case("slow"),
    "SlowCommands": Case("slow"),
    "ThreadSaturated": Case("saturated", seconds=0.6),  # the machine had no whole core for it
    "ForkSlow": Case(fields={"latest_fork_usec": "600000"}),
    "ScriptsUnknown": Case("no_script"),
    "WritesWaitForDisk": Case(fields={"aof_delayed_fsync": "1"}),
    "SnapshotFails": Case("no_save"),
    "LogFails": Case(fields={"aof_last_write_status": "err"}),
    "LogRewriteFails": Case("no_save"),
    "SnapshotHangs": Case(fields={"rdb_current_bgsave_time_sec": "1300"}),
    "NothingLogged": Case("no_log"),
    "DiskNearlyFull": Case(facts={"redyard_disk_free_bytes": 4 * GB}),
    "ReplicaCutOff": Case("replica_cut_off"),
    "ReplicaLags": Case("replica_lags"),
    "BackupTooOld": Case(facts={"redyard_backup_age_seconds": 601}),
    "BackupStopped": Case(facts={"redyard_backup_following": 0}),
    "BackupGap": Case(facts={"redyard_backup_gaps_total": 1}),
    "BackupWaits": Case(facts={"redyard_backup_waiting_bytes": 2 * GB}),
    "BackupUnproved": Case(facts={"redyard_backup_proof_age_seconds": 8 * DAY}),
    "EngineOutdated": Case(facts={"redyard_engine_end_of_life": 1}),
    "QueueWithoutWorkers": Case(facts={'redyard_queue_workers{queue="mail"}': 0}),
    "QueueWaits": Case(facts={'redyard_queue_oldest_waiting_seconds{queue="mail"}': 301}),
    "JobsFail": Case(facts={MANY % "failed": 20, MANY % "completed": 100}),
    "QueueForgotten": Case(facts={'redyard_queue_paused{queue="mail"}': 1}),
}

QUIET = {
    "Down": Case("loading"),
    "EngineCrashed": Case("loading"),
    "WritesFail": Case("full_cache"),
    "StoreFullSoon": Case("filling", seconds=86400, trend=True),
    "Fragmented": Case("fragmented", VALKEY),
    "MachineNearlyFull": Case("full", facts={"redyard_machine_memory_bytes": 40e6}),
    "ScriptsPileUp": Case("scripts", VALKEY),
    "CacheMisses": Case("full_cache"),
    "CacheThrashes": Case("full_cache"),
    "ConnectionsNearlyUsed": Case("workers"),
    "ConnectionsGrow": Case("connections"),
    "CertificateEnds": Case(facts={"redyard_certificate_expires_seconds": 4 * DAY}),
    "CertificateEndsSoon": Case(facts={"redyard_certificate_expires_seconds": 22 * DAY}),
    "ThreadSaturated": Case("churn"),
    "DiskNearlyFull": Case(facts={"redyard_disk_free_bytes": 6 * GB}),
    "ReplicaLags": Case("replica"),
    "BackupTooOld": Case(facts={"redyard_backup_age_seconds": 599}),
    "JobsFail": Case(facts={MANY % "failed": 5, MANY % "completed": 100}),
    "QueueWithoutWorkers": Case(
        facts={
            'redyard_queue_workers{queue="mail"}': 0,
            'redyard_queue_jobs{queue="mail",state="waiting"}': 0,
        }
    ),
    "QueueForgotten": Case(
        facts={
            'redyard_queue_paused{queue="mail"}': 1,
            'redyard_queue_jobs{queue="mail",state="waiting"}': 0,
        }
    ),
}
"""Near misses, beside the states that are well."""

CASES = [(name, engine) for name, case in FIRES.items() for engine in case.engines]
MISSES = [(name, engine) for name, case in QUIET.items() for engine in case.engines]
FOR = {"ConnectionsGrow": 6000.0, "StoreFullSoon": 6000.0}


def test_every_rule_is_tested():
    """By a state in which it fires."""
    assert [rule.name for rule in TABLE] == list(FIRES)
    assert set(QUIET) <= set(FIRES)


def test_the_readings_are_those_of_the_recording():
    """Every state of the script, on both engines."""
    assert (COMMAND, set(STATES)) == (RECORDED["made by"], set(RECORDED["states"]))
    assert {frozenset(ENGINES)} == {frozenset(state) for state in RECORDED["states"].values()}


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_it_fires(name, engine):
    """In the state that it is for."""
    rule, case = BY_NAME[name], FIRES[name]

    assert {name} == firing([rule], case, engine, within=FOR.get(name, 1200.0))
    assert not rule.roles or role(case) in rule.roles


@pytest.mark.parametrize(("name", "engine"), MISSES)
def test_it_is_quiet_at_a_near_miss(name, engine):
    """Just before its threshold, or in a state that only looks alike."""
    assert set() == firing([BY_NAME[name]], QUIET[name], engine, within=FOR.get(name, 1200.0))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("state", WELL)
def test_nothing_fires_where_all_is_well(state, engine):
    """A store with sessions, idle workers, a replica, a full cache."""
    case = Case(state)
    rules = [rule for rule in TABLE if not rule.roles or role(case) in rule.roles]

    assert set() == firing(rules, case, engine)


def test_a_full_cache_is_well_and_a_full_store_is_not():
    """The role decides."""
    assert ("store",) == BY_NAME["StoreNearlyFull"].roles == BY_NAME["StoreEvicts"].roles
    assert {"StoreEvicts"} == firing([BY_NAME["StoreEvicts"]], Case("full_cache"), "valkey")


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.name)
def test_a_rule_says_what_is_wrong_and_what_to_do(rule):
    """As a sentence with the instance's name, a finding and a remedy."""
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule.name)
    assert "{name}" in rule.says
    assert rule.says.endswith(".")
    assert re.fullmatch(r"[a-z-]+", rule.finding)
    assert rule.remedy
    assert not rule.under or rule.under in BY_NAME


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.name)
def test_a_rule_looks_at_metrics_that_there_are(rule):
    """Of the server's table or of ours; the expression for Prometheus names the same ones."""
    known = {row.name for row in (*METRICS, *KIT)}
    named = set(re.findall(r"red(?:is|yard)_\w+", rule.promql)) - {"redyard_instance_info"}

    assert {pick.name for pick in rule.picks} == named
    assert named <= known
