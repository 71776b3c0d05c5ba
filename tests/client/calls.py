"""Calls of redis-py's methods, by the data that they are about: what a comparison of two clients runs on both.

Each scene begins on an empty server; its first calls make what the later ones need. `roughly` marks an answer that
differs between any two runs (a clock, an id, a figure), of which only the shape is compared.
"""

from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from redis.client import EMPTY_RESPONSE, NEVER_DECODE


class Call(NamedTuple):
    """A method, its arguments, and whether its answer is the same each time."""

    method: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    exact: bool = True


class Colour(int, Enum):
    """A number whose text is not its value."""

    RED = 1


def do(method: str, *args: Any, **options: Any) -> Call:
    """Call a method."""
    return Call(method, args, options)


def run(*words: Any, **options: Any) -> Call:
    """Call `execute_command`."""
    return Call("execute_command", words, options)


def roughly(call: Call) -> Call:
    """Compare only the shape of its answer."""
    return call._replace(exact=False)


# fmt: off
STRINGS = (
    do("set", "a", 1), do("get", "a"), do("get", "none"), do("set", "a", "text", ex=100), do("get", b"a"),
    do("set", "a", "new", nx=True), do("set", "b", "new", xx=True), do("set", "a", "new", get=True),
    do("set", "a", "x", px=100_000), do("set", "a", "y", keepttl=True), roughly(do("ttl", "a")),
    do("set", "c", "x", exat=4102444800), do("expiretime", "c"), do("pexpiretime", "c"),
    do("set", "c", "x", pxat=4102444800000), do("set", "c", "x", ex=1, px=1), do("set", "c", "x", nx=True, xx=True),
    do("set", "é", "ü"), do("get", "é"), do("set", "bytes", b"\x00\r\n$3\r\n"), do("get", "bytes"),
    do("set", "f", 1.5), do("get", "f"), do("set", "f", 1e300), do("get", "f"), do("set", "f", float("inf")),
    do("get", "f"), do("set", "n", 2**80), do("get", "n"), do("set", "n", -(2**63)), do("get", "n"),
    do("set", "m", memoryview(b"view")), do("get", "m"), do("set", "m", bytearray(b"array")), do("get", "m"),
    do("set", "z", -0.0), do("get", "z"), do("set", "z", 1e-7), do("get", "z"), do("set", "z", float("nan")),
    do("get", "z"), do("set", "", "nameless"), do("get", ""), do("set", "empty", ""), do("get", "empty"),
    do("set", "colour", Colour.RED), do("get", "colour"), do("set", 7, "seven"), do("get", 7),
    do("setex", "s", 100, "x"), do("psetex", "s", 100_000, "x"), do("setnx", "s", 1), do("setnx", "t", 1),
    do("getset", "t", 2), do("getdel", "t"), do("getdel", "t"), do("getex", "s", ex=50),
    do("getex", "s", persist=True), do("incr", "i"), do("incr", "i", 5), do("incrby", "i", 2), do("decr", "i"),
    do("decrby", "i", 3), do("incrbyfloat", "i", 1.5), do("incr", "a"), do("append", "a", "more"),
    do("strlen", "a"), do("getrange", "a", 0, 2), do("setrange", "a", 1, "XX"), do("substr", "a", 0, 1),
    do("substr", "a", 1), do("mset", {"k1": 1, "k2": "two"}), do("mget", "k1", "k2", "none"), do("mget", ["k1"]),
    do("msetnx", {"k1": 2}), do("msetnx", {"k3": 2}), do("lcs", "k1", "k2"), do("lcs", "a", "é", len=True),
    do("lcs", "a", "a", idx=True, minmatchlen=1, withmatchlen=True), do("stralgo", "LCS", "a", "é"),
    do("digest", "a"), do("digest_local", "a"), do("delex", "a"), do("increx", "i"), do("msetex", {"a": 1}, ex=5),
)

KEYS = (
    do("mset", {f"k{i}": i for i in range(5)}), do("exists", "k0", "k1", "none"), do("delete", "k0", "none"),
    do("unlink", "k1"), do("expire", "k2", 100), do("expire", "k2", 200, nx=True), do("expire", "k2", 200, gt=True),
    do("expire", "none", 1), roughly(do("pttl", "k2")), do("ttl", "k3"), do("ttl", "none"), do("persist", "k2"),
    do("pexpire", "k2", 100_000), do("expireat", "k2", 4102444800), do("pexpireat", "k2", 4102444800000),
    do("type", "k2"), do("type", "none"), do("rename", "k2", "k9"), do("rename", "none", "x"),
    do("renamenx", "k9", "k3"), do("renamenx", "k9", "k8"), do("copy", "k8", "k7"), do("copy", "k8", "k7"),
    do("copy", "k8", "k7", replace=True), do("touch", "k7", "k8"), do("move", "k8", 1), do("dbsize"),
    do("object", "encoding", "k7"), do("object", "refcount", "none"), roughly(do("object", "idletime", "k7")),
    do("object", "freq", "k7"), do("scan", 0, match="k7"), do("scan", 0, match="none", count=1000, _type="string"),
    do("lpush", "l", 3, 1, 2), do("sort", "l"), do("sort", "l", desc=True), do("sort", "l", start=0, num=2),
    do("sort", "l", alpha=True, store="sorted"), do("lrange", "sorted", 0, -1), do("sort_ro", "l"),
    do("mset", {"w1": 3, "w2": 2, "w3": 1}), do("sort", "l", by="w*", get=["#", "w*"], groups=True),
    do("sort", "l", groups=True), do("sort", "l", start=0), do("sort", "k7"), do("wait", 0, 10),
    do("echo", "hello"), do("echo", "é"), do("ping"), roughly(do("time")), roughly(do("lolwut")),
    roughly(do("lolwut", 5)), do("get", "l"), do("waitaof", 0, 0, 10),
)

BITS = (
    do("setbit", "b", 7, 1), do("setbit", "b", 7, True), do("getbit", "b", 7), do("getbit", "b", 8),
    do("set", "b", "foobar"), do("bitcount", "b"), do("bitcount", "b", 0, 1), do("bitcount", "b", 0, 8, "BIT"),
    do("bitcount", "b", 0), do("bitpos", "b", 1), do("bitpos", "b", 0, 2), do("bitpos", "b", 1, 0, -1, "BIT"),
    do("bitpos", "b", 2), do("set", "c", "abcdef"), do("bitop", "AND", "d", "b", "c"), do("bitop", "NOT", "e", "b"),
    do("bitop", "NOT", "e", "b", "c"), do("bitfield_ro", "b", "u8", 0),
    do("bitfield_ro", "b", "u4", 0, [("u4", 4)]), run("BITFIELD", "n", "INCRBY", "u2", 100, 1, "GET", "u4", 0),
    run("BITFIELD", "n", "OVERFLOW", "FAIL"), do("pfadd", "h", "a", "b", "c"), do("pfadd", "h", "a"),
    do("pfcount", "h"), do("pfadd", "h2", "d"), do("pfmerge", "h3", "h", "h2"), do("pfcount", "h", "h2"),
    do("pfcount", "b"), do("pfadd", "empty"),
)

HASHES = (
    do("hmset", "old", {"f": 1}), do("hset", "h", "f", 1), do("hset", "h", mapping={"g": "two", "é": "ü"}),
    do("hset", "h", items=["x", 1, "y", 2]), do("hset", "h"), do("hget", "h", "f"), do("hget", "h", "none"),
    do("hgetall", "h"), do("hgetall", "none"), do("hmget", "h", ["f", "none"]), do("hmget", "h", "f", "g"),
    do("hkeys", "h"), do("hvals", "h"), do("hlen", "h"), do("hexists", "h", "f"), do("hexists", "h", "none"),
    do("hsetnx", "h", "f", 2), do("hsetnx", "h", "n", 2), do("hincrby", "h", "f", 4),
    do("hincrbyfloat", "h", "f", 0.5), do("hincrby", "h", "g"), do("hstrlen", "h", "g"),
    do("hdel", "h", "n", "none"), do("hscan", "h"), do("hscan", "h", match="f*", count=10),
    do("hscan", "h", no_values=True), do("hset", "one", "f", "v"), do("hrandfield", "one"),
    do("hrandfield", "one", 2), do("hrandfield", "none"), do("hrandfield", "one", 2, withvalues=True),
    do("hrandfield", "one", -2, withvalues=True), do("hset", "h", mapping={"a": None}),
    do("hset", "h", mapping={"a": [1]}), do("hset", "h", {"a": 1}, "b"), do("hexpire", "h", 100, "f"),
    do("hpexpire", "h", 100_000, "f", "none"), do("hexpireat", "h", 4102444800, "f"),
    do("hpexpireat", "h", 4102444800000, "f"), do("hexpiretime", "h", "f"), do("hpexpiretime", "h", "f"),
    roughly(do("httl", "h", "f")), roughly(do("hpttl", "h", "f")), do("hpersist", "h", "f", "none"),
    do("hgetdel", "h", "x"), do("hgetex", "h", "y", ex=100), do("hsetex", "h", "q", 1, ex=100),
    do("hget", "l", "f"),
)

LISTS = (
    do("rpush", "l", "a", "b", "c"), do("lpush", "l", 1, 2.5, b"x"), do("lrange", "l", 0, -1), do("llen", "l"),
    do("lpushx", "none", 1), do("rpushx", "l", "d"), do("lindex", "l", 0), do("lindex", "l", 99),
    do("lset", "l", 0, "z"), do("lset", "l", 99, "z"), do("lset", "none", 0, "z"),
    do("linsert", "l", "BEFORE", "a", "aa"), do("linsert", "l", "after", "none", "aa"), do("lrem", "l", 1, "aa"),
    do("ltrim", "l", 0, 4), do("lpos", "l", "a"), do("lpos", "l", "a", count=0), do("lpos", "l", "none"),
    do("lpos", "l", "a", rank=-1, maxlen=10), do("lpop", "l"), do("lpop", "l", 2), do("lpop", "none"),
    do("lpop", "none", 1), do("rpop", "l"), do("rpop", "l", 1), do("rpush", "l", "a", "b"), do("lmove", "l", "m"),
    do("lmove", "l", "m", "RIGHT", "LEFT"), do("lmove", "none", "m"), do("rpoplpush", "m", "l"),
    do("lmpop", 2, "none", "l", direction="LEFT"), do("lmpop", 1, "none", direction="LEFT"),
    do("rpush", "l", 1, 2, 3), do("lmpop", 1, "l", direction="RIGHT", count=2), do("blpop", "l", timeout=1),
    do("blpop", ["none", "m"], timeout=1), do("brpop", "none", timeout=0.01), do("blpop", b"none", timeout=0.01),
    do("rpush", "l", 1, 2, 3), do("brpop", "l"), do("brpoplpush", "l", "m", timeout=1),
    do("brpoplpush", "none", "m", 0.01), do("blmove", "l", "m", 1), do("blmove", "none", "m", 0.01),
    do("blmpop", 1, 1, "m", direction="LEFT"), do("blmpop", 0.01, 1, "none", direction="LEFT"),
    do("blpop", "l", timeout=-1), do("set", "s", 1), do("lpush", "s", 1), do("blpop", "s", timeout=1),
    run("BLPOP", "s", "soon"), do("lpop", "s"), do("lmovem", "l", "m"), do("blmovem", "l"),
)

SETS = (
    do("sadd", "s", "a", "b", 3), do("sadd", "s", "a"), do("smembers", "s"), do("smembers", "none"),
    do("scard", "s"), do("sismember", "s", "a"), do("sismember", "s", "none"), do("smismember", "s", "a", "none"),
    do("smismember", "s", ["a"]), do("sadd", "t", "b", "c"), do("sdiff", "s", "t"), do("sinter", "s", "t"),
    do("sunion", ["s", "t"]), do("sdiffstore", "d", "s", "t"), do("sinterstore", "d", "s", "t"),
    do("sunionstore", "d", ["s", "t"]), do("sintercard", 2, ["s", "t"]), do("sintercard", 2, ["s", "t"], limit=1),
    do("smove", "s", "t", "a"), do("smove", "s", "t", "none"), do("srem", "s", "b", "none"), do("srandmember", "s"),
    do("srandmember", "s", 5), do("srandmember", "none"), do("spop", "s"), do("spop", "s"), do("spop", "none", 2),
    do("sadd", "u", 1), do("spop", "u", 2), do("sscan", "t"), do("sscan", "t", match="a*", count=5),
    do("sadd", "s"), do("get", "t"), do("sadd", "é", "ü"), do("smembers", "é"), do("sdiffcard", 1, ["s"]),
    do("sunioncard", 1, ["s"]),
)

SORTED = (
    do("zadd", "z", {"a": 1, "b": 2.5, "c": 3}), do("zadd", "z", {"a": 2}, ch=True),
    do("zadd", "z", {"a": 1}, incr=True), do("zadd", "z", {"d": 1}, nx=True),
    do("zadd", "z", {"d": 9}, xx=True, gt=True), do("zadd", "z", {"d": 1}, nx=True, xx=True), do("zadd", "z", {}),
    do("zadd", "z", {"x": "much"}), do("zadd", "z", {"none": 1}, xx=True, incr=True),
    do("zadd", "z", {"i": float("inf")}), do("zscore", "z", "i"), do("zrem", "z", "i"), do("zscore", "z", "b"),
    do("zscore", "z", "none"), do("zmscore", "z", ["a", "none"]), do("zcard", "z"), do("zcount", "z", 1, "+inf"),
    do("zincrby", "z", 2, "a"), do("zrank", "z", "a"), do("zrank", "z", "a", withscore=True),
    do("zrevrank", "z", "none"), do("zrevrank", "z", "a", withscore=True), do("zrange", "z", 0, -1),
    do("zrange", "z", 0, -1, withscores=True),
    do("zrange", "z", 0, -1, desc=True, withscores=True, score_cast_func=int),
    do("zrange", "z", 1, 3, byscore=True), do("zrange", "z", "-", "+", bylex=True, offset=0, num=1),
    do("zrange", "z", 0, 1, offset=1), do("zrevrange", "z", 0, -1, withscores=True), do("zrevrange", "z", 0, 0),
    do("zrangebyscore", "z", 1, 3), do("zrangebyscore", "z", "-inf", "(3", start=0, num=1, withscores=True),
    do("zrangebyscore", "z", 0, 9, start=1), do("zrangebyscore", "z", 0, 99, withscores=True, score_cast_func=str),
    do("zrevrangebyscore", "z", 9, 0), do("zrevrangebyscore", "z", 9, 0, withscores=True),
    do("zrangebylex", "z", "-", "+"), do("zrevrangebylex", "z", "+", "-"), do("zlexcount", "z", "-", "+"),
    do("zlexcount", "z", "a", "b"), do("zadd", "y", {"a": 1, "q": 2}), do("zdiff", ["z", "y"]),
    do("zdiff", ["z", "y"], withscores=True), do("zinter", ["z", "y"]),
    do("zinter", {"z": 2, "y": 1}, withscores=True), do("zinter", ["z", "y"], aggregate="MAX", withscores=True),
    do("zunion", ["z", "y"], withscores=True), do("zunion", ["z"], aggregate="none"),
    do("zintercard", 2, ["z", "y"]), do("zdiffstore", "o", ["z", "y"]), do("zinterstore", "o", ["z", "y"]),
    do("zunionstore", "o", {"z": 1, "y": 3}, aggregate="SUM"), do("zrangestore", "o", "z", 0, 1),
    do("zrangestore", "o", "z", 0, 9, byscore=True), do("zpopmin", "z"), do("zpopmax", "z", 2),
    do("zpopmin", "none"), do("zadd", "one", {"m": 1}), do("zrandmember", "one"),
    do("zrandmember", "one", 2, withscores=True), do("zrandmember", "none"), do("zscan", "o"),
    do("zscan", "o", match="a*", score_cast_func=int), do("zmpop", 1, ["o"], min=True),
    do("zmpop", 2, ["none", "o"], max=True, count=2), do("zmpop", 1, ["none"], min=True),
    do("zmpop", 1, ["o"], min=True, max=True), do("bzpopmin", "one", timeout=1),
    do("bzpopmax", ["none"], timeout=0.01), do("zadd", "one", {"m": 1, "n": 2}), do("bzpopmax", "one", 1),
    do("bzmpop", 1, 1, ["one"], min=True), do("bzmpop", 0.01, 1, ["none"], max=True),
    do("zadd", "z", {"a": 1, "b": 2, "c": 3, "d": 4}), do("zremrangebyrank", "z", 0, 0),
    do("zremrangebyscore", "z", 2, 2), do("zremrangebylex", "z", "[c", "[c"), do("zrem", "z", "none"),
    do("get", "z"), do("zadd", "é", {"ü": 1.1}), do("zrange", "é", 0, -1, withscores=True),
)

GEO = (
    do("geoadd", "g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]),
    do("geoadd", "g", [1, 2]), do("geoadd", "g", [13.0, 38.0, "Palermo"], xx=True, ch=True),
    do("geoadd", "g", [300, 100, "nowhere"]), do("geodist", "g", "Palermo", "Catania"),
    do("geodist", "g", "Palermo", "Catania", unit="km"), do("geodist", "g", "Palermo", "none"),
    do("geodist", "g", "Palermo", "Catania", unit="inch"), do("geohash", "g", "Palermo", "none"),
    do("geopos", "g", "Palermo", "none"), do("georadius", "g", 15, 37, 200, unit="km"),
    do("georadius", "g", 15, 37, 200, "km", withdist=True, withcoord=True),
    do("georadius", "g", 15, 37, 200, "km", withhash=True, count=1, sort="ASC"),
    do("georadius", "g", 15, 37, 200, "km", store="t"),
    do("georadiusbymember", "g", "Palermo", 200, unit="km", withdist=True), do("georadiusbymember", "g", "none", 1),
    do("geosearch", "g", member="Palermo", radius=200, unit="km", withdist=True, sort="ASC"), do("geosearch", "g"),
    do("geosearch", "g", longitude=15, latitude=37, width=400, height=400, unit="km", withcoord=True, withhash=True),
    do("geosearchstore", "t", "g", member="Palermo", radius=200, unit="km"), do("zcard", "t"),
)

STREAMS = (
    do("xadd", "x", {"a": 1, "b": "two"}, id="1-1"), do("xadd", "x", {"é": "ü"}, id="2-1"),
    do("xadd", "x", {"a": 1}, id="1-1"), roughly(do("xadd", "auto", {"a": b"\xff"})), do("xadd", "x", {}),
    do("xadd", "none", {"a": 1}, nomkstream=True), do("xadd", "x", {"a": 3}, id="3-1", maxlen=100),
    do("xadd", "x", {"a": 4}, id="4-1", minid="1-0", approximate=False),
    do("xadd", "x", {"a": 1}, maxlen=1, minid="1"), do("xlen", "x"), do("xrange", "x"),
    do("xrange", "x", "2", "3", count=1), do("xrange", "none"), do("xrevrange", "x"), do("xrevrange", "x", count=1),
    do("xread", {"x": "0"}), do("xread", {"x": "$"}), do("xread", {"x": "2-1", "none": "0"}, count=1),
    do("xread", {"x": "$"}, block=10), do("xread", {"x": "0"}, block=10), do("xread", {}),
    do("xread", {"x": "0"}, count=-1), do("xread", {"x": "0"}, block=-1), do("xgroup_create", "x", "g", "0"),
    do("xgroup_create", "x", "g"), do("xgroup_create", "new", "g", mkstream=True),
    do("xgroup_createconsumer", "x", "g", "c0"), do("xreadgroup", "g", "c", {"x": ">"}, count=2),
    do("xreadgroup", "g", "c", {"x": ">"}, block=10, count=1), do("xreadgroup", "none", "c", {"x": ">"}),
    do("xreadgroup", "none", "c", {"x": ">"}, block=10), do("xreadgroup", "g", "c", {"x": "0"}),
    do("xack", "x", "g", "1-1"), do("xpending", "x", "g"), roughly(do("xpending_range", "x", "g", "-", "+", 10)),
    do("xpending", "new", "g"), roughly(do("xpending_range", "x", "g", "-", "+", 10, consumername="c", idle=0)),
    do("xpending_range", "x", "g", "-", "+", None), do("xclaim", "x", "g", "d", 0, ["2-1"]),
    do("xclaim", "x", "g", "d", 0, ["2-1"], justid=True), do("xclaim", "x", "g", "d", 0, "2-1"),
    do("xautoclaim", "x", "g", "e", 0), do("xautoclaim", "x", "g", "e", 0, justid=True),
    do("xautoclaim", "x", "g", "e", 0, "0", -1), do("xinfo_stream", "x"),
    roughly(do("xinfo_stream", "x", full=True)), do("xinfo_groups", "x"), roughly(do("xinfo_consumers", "x", "g")),
    do("xinfo_stream", "none"), do("xgroup_setid", "x", "g", "0"),
    do("xgroup_setid", "x", "g", "0", entries_read=1), do("xgroup_delconsumer", "x", "g", "c"),
    do("xgroup_destroy", "x", "g"), do("xgroup_destroy", "x", "g"), do("xdel", "x", "1-1"),
    do("xtrim", "x", 1, approximate=False), do("xtrim", "x", minid="9"), do("xtrim", "x", 1, minid="9"),
    do("xlen", "x"), do("xackdel", "x", "g", "1-1"), do("xdelex", "x", "1-1"), do("xcfgset", "x", idmp_duration=1),
    do("xnack", "x", "g", "SILENT", "1-1"),
)

LUA = "return redis.call('GET', KEYS[1])"
BODY = "function_name='f', callback=function(k, a) return a[1] end, flags={'no-writes'}"
LIBRARY = f"#!lua name=lib\nredis.register_function{{{BODY}}}"
SCRIPTS = (
    do("set", "a", "v"), do("eval", LUA, 1, "a"), do("eval", "return {1, 'two', {3}}", 0),
    do("eval", "return 1.9", 0), do("eval", "return redis.error_reply('OWN trouble')", 0),
    do("eval", "return redis.status_reply('FINE')", 0), do("eval", "return nil", 0), do("eval", "return true", 0),
    do("eval", "no lua", 0), do("eval", "error('x')", 0), do("eval", "return redis.call('INCR', 'a')", 0),
    do("eval", LUA, 2, "a"), do("eval", "return ARGV[1]", 0, "é"), do("script_load", LUA),
    do("evalsha", "4e6d8fc8bb01276962cce5371fa795a7763657ae", 1, "a"), do("evalsha", "0" * 40, 0),
    do("evalsha_ro", "4e6d8fc8bb01276962cce5371fa795a7763657ae", 1, "a"), do("evalsha_ro", "0" * 40, 0),
    do("script_exists", "4e6d8fc8bb01276962cce5371fa795a7763657ae", "0" * 40), do("eval_ro", LUA, 1, "a"),
    do("eval_ro", "return redis.call('SET', KEYS[1], 1)", 1, "a"), do("script_flush"), do("script_flush", "SYNC"),
    do("script_kill"), do("script_flush", "none"), do("script_debug", "NO"), do("function_load", LIBRARY),
    do("function_load", LIBRARY), do("function_load", LIBRARY, replace=True), do("fcall", "f", 0, "x"),
    do("fcall_ro", "f", 0, "x"), do("fcall", "none", 0), do("function_list"), do("function_list", withcode=True),
    do("function_stats"), do("function_dump"), do("function_kill"), do("function_delete", "lib"),
    do("function_delete", "lib"), do("function_restore", b"none"), do("function_flush"),
    do("eval", "return redis.setresp(3)", 0), do("eval", "redis.setresp(3) return {map={a=1}}", 0),
    do("eval", "redis.setresp(3) return {double=1.5}", 0),
)

WORDS = (
    run("set", "a", 1), run("SET", b"a", "b"), run(b"GET", "a"), run("get", "a"), run("Get", "a"), run(b"get", "a"),
    run("CLIENT GETNAME_NONE"), roughly(run("CLIENT ID")), roughly(run("CLIENT", "ID")), roughly(run("client id")),
    roughly(run(b"CLIENT ID")), run("OBJECT ENCODING", "a"), run("OBJECT", "ENCODING", "a"),
    run("object encoding", "a"), run(b"OBJECT", b"encoding", "a"), run("PUBSUB NUMSUB", "c"),
    run("PUBSUB", "NUMSUB", "c"), run("XINFO STREAM", "a"), run("XINFO", "STREAM", "a"), run(b"XINFO STREAM", "a"),
    run("COMMAND COUNT"), run("COMMAND GETKEYS", "GET", "a"), run("COMMAND", "GETKEYS", "GET", "a"),
    run("CONFIG", "HELP_NONE"), run("SCRIPT EXISTS", "0" * 40), run("SCRIPT", "EXISTS", "0" * 40),
    run("ACL WHOAMI"), run("ACL", "WHOAMI"), run("HELLO_NONE", "3"), run("NONE"), run("NONE", "a"), run("GET"),
    run("GET", "a", "b"), run("SET", "a", "b", "NONE"), run("none such", "a"), run(bytearray(b"GET"), "a"),
    run("GET "), run("GET ", "a"), run(" GET", "a"), run("PING"), run("PING", "hello"), run("ping", b"\xff"),
    run("GET\n", "a"), run(), run("STRLEN", "a"), run("HGETALL", "none"), run("hgetall", "none"),
    run("LPUSH", "l", 1), run("lrange", "l", 0, -1), run("SMEMBERS", "none"), run("SMEMBERS", b"none"),
    run("MEMORY USAGE", "a"), run("memory usage", "a"), run("MEMORY", "USAGE", "a"), run("LATENCY LATEST"),
    run("GET", "a", **{NEVER_DECODE: True}), run("DUMP", "a", **{NEVER_DECODE: []}), do("dump", "a"),
    do("dump", "none"), run("GET", "l", **{EMPTY_RESPONSE: 7}), run("GET", "a", **{EMPTY_RESPONSE: 7}),
    run("EVALSHA", "0" * 40, 0, **{EMPTY_RESPONSE: None}),
    run("LRANGE", "l", 0, -1, **{NEVER_DECODE: True, EMPTY_RESPONSE: []}), run("GET", "a", keys=["a"]),
    run("HGETALL", "none", keys=["a"]), run("ZRANGE", "none", 0, -1, withscores=True),
    run("INCR", "a", colour="red"), run("HGETALL", "none", colour="red"), run("ZADD", "z", 1.5, "m"),
    run("ZRANGE", "z", 0, -1, "WITHSCORES", withscores=True), run("ZRANGE", "z", 0, -1, "WITHSCORES"),
    run("ZSCORE", "z", "m"), run("zscore", "z", "m"), run(b"ZSCORE", "z", "m"), run("SISMEMBER", "none", 1),
    run("EXPIRE", "a", 100),
)

VALUES = (
    do("set", "a", None), do("set", "a", True), do("set", "a", {}), do("set", "a", ()), do("set", None, 1),
    do("set", "a", object), do("get", None), do("get", True), do("get", ["a"]), do("lpush", "l", 1, None),
    do("mset", {"a": None}), do("set", "a", "\ud800"), do("get", "\udcff"), do("set", "a", "\U0001f600"),
    do("get", "a"), do("set", "a", "x\x00y"), do("get", "a"), do("set", "bad", b"\xff\xfe"), do("get", "bad"),
    do("mget", "a", "bad"), do("get", "a"), do("hset", "h", b"\xff", b"\xff"), do("hgetall", "h"), do("hkeys", "h"),
    do("hget", "h", b"\xff"), do("rpush", "l", b"\xff", "x"), do("lrange", "l", 0, -1), do("lpop", "l"),
    do("blpop", "l", timeout=1), do("rpush", "l", b"\xff"), do("blpop", "l", timeout=1), do("get", "a"),
    do("set", b"\xff", 1), do("eval", "return ARGV[1]", 0, b"\xff"), do("echo", b"\xff"), do("echo", ""),
    do("set", "long", "x" * 100_000), do("strlen", "long"), do("get", "long"), do("set", "rows", "a\r\nb"),
    do("get", "rows"), do("set", "i", 10**400), do("strlen", "i"), do("publish", "c", b"\xff"),
    do("mset", {f"key:{i}": "y" * 50 for i in range(500)}), do("mget", [f"key:{i}" for i in range(500)]),
    do("hset", "h", "f", b"\xe9"), do("hget", "h", "f"), do("xadd", "x", {b"\xff": b"\xfe"}, id="1-1"),
    do("xrange", "x"), do("sadd", "s", b"\xff"), do("smembers", "s"),
)

TYPES = (
    do("set", "s", "x"), do("lpush", "s", 1), do("hset", "s", "f", 1), do("sadd", "s", 1),
    do("zadd", "s", {"a": 1}), do("xadd", "s", {"a": 1}), do("incr", "s"), do("incrbyfloat", "s", 1),
    do("hgetall", "s"), do("smembers", "s"), do("zrange", "s", 0, -1), do("xrange", "s"), do("xread", {"s": "0"}),
    do("xreadgroup", "g", "c", {"s": ">"}), do("lrange", "s", 0, -1), do("setbit", "s", -1, 1), do("pfcount", "s"),
    do("geopos", "s", "a"), do("sunion", "s", "none"), do("zunion", ["s"]), do("getrange", "s", "a", 1),
    do("expire", "s", "soon"), do("setex", "s", 0, 1), do("flushall"), do("flushdb"), do("keys"), do("config_get"),
    do("save"), do("debug_object", "s"), do("acl_list"), do("acl_whoami"), do("swapdb", 0, 1),
    do("shutdown", nosave=True), do("bgsave"), do("slowlog_get"), do("migrate", "h", 1, "k", 0, 1),
    do("replicaof", "NO", "ONE"), do("restore", "k", 0, b"x"), roughly(do("info")), roughly(do("info", "server")),
    roughly(do("info", "memory", "clients")), do("info", "none"), roughly(do("client_list")), do("role"),
    do("failover"), do("latency_latest"), do("client_kill", "1.2.3.4:5"), do("publish", "c", "x"),
    do("spublish", "c", "x"), do("pubsub_channels"), do("pubsub_numpat"), do("pubsub_numsub", "c"),
    do("pubsub_numsub"), do("pubsub_shardchannels"), do("pubsub_shardnumsub", "c"),
    do("himport_set", "k", "f", [1]), do("hotkeys_get"), do("arget", "a", 0), do("arset", "a", 0, "x"),
)

ADMIN = (
    do("latency_reset"), do("latency_latest"), do("latency_history", "fork"), do("latency_graph"),
    roughly(do("latency_doctor")), do("latency_histogram"),
    roughly(do("config_get")), do("config_get", "maxmemory*"), do("config_get", "maxmemory", "maxclients"),
    do("config_set", "slowlog-max-len", 64), do("config_get", "slowlog-max-len"), do("config_set", "none", 1),
    do("config_set", "maxmemory", "much"), do("config_resetstat"), run("CONFIG GET", "maxmemory"),
    run("CONFIG", "GET", "maxmemory"), run("config get", "maxmemory"), run(b"CONFIG GET", "maxmemory"),
    run("CONFIG", "SET", "slowlog-max-len", 128), run(b"CONFIG", b"GET", b"maxmemory"), run("CONFIG"),
    run("CONFIG", "NONE"), roughly(do("client_list")), roughly(do("client_list", _type="normal")),
    do("client_list", client_id=["999999"]), roughly(do("client_info")),
    do("client_setname", "a-name"), do("client_setname", "a name"), roughly(do("client_id")),
    do("client_kill", "1.2.3.4:5"), do("client_kill_filter", _id="999999"), do("client_kill_filter"),
    do("client_getredir"), do("client_pause", 1), do("client_unpause"), do("client_unblock", 999999),
    do("client_unblock", 999999, error=True), do("client_trackinginfo"), do("client_setinfo", "LIB-NAME", "x y"),
    do("client_pause", "long"), roughly(do("command")), do("command_count"), do("command_list", category="geo"),
    do("command_list", "acl", "x"), do("command_getkeys", "SET", "a", "b"),
    do("command_getkeysandflags", "SET", "a", "b"), do("command_info", "get"), do("command_info", "get", "none"),
    do("command_docs", "get"), do("memory_usage", "none"), do("set", "a", "x"), do("memory_usage", "a", samples=1),
    roughly(do("memory_stats")), roughly(do("memory_doctor")),
    roughly(do("memory_malloc_stats")), do("memory_help"), do("memory_purge"),
    do("config_set", "slowlog-log-slower-than", 10_000_000),
    do("slowlog_reset"), do("slowlog_len"), do("slowlog_get"), do("slowlog_get", 5), do("acl_list"),
    do("acl_users"), do("acl_whoami"), do("acl_cat"), do("acl_cat", "geo"), do("acl_cat", "none"),
    do("acl_getuser", "default"), do("acl_getuser", "none"),
    do("acl_setuser", "tester", enabled=True, passwords=["+x"], categories=["+@read"], keys=["*"]),
    do("acl_getuser", "tester"), do("acl_dryrun", "tester", "GET", "a"),
    do("acl_dryrun", "tester", "SET", "a", "b"), do("acl_deluser", "tester"), do("acl_deluser", "tester"),
    do("acl_help"), do("acl_log_reset"), do("acl_log"), do("acl_log", 5), do("acl_log", -1),
    roughly(do("acl_genpass")), roughly(do("acl_genpass", 8)), do("acl_genpass", "long"), do("acl_save"),
    do("module_list"), do("module_load", "/none"), do("module_unload", "none"),
    do("module_loadex", "/none", ["a", "b"]), do("keys"), do("keys", "a*"), roughly(do("randomkey")),
    do("debug_object", "a"), do("replicaof", "NO", "ONE"), do("slaveof", "NO", "ONE"), roughly(do("role")),
    roughly(do("info")), roughly(do("info", "everything")), roughly(do("info", "commandstats")),
    roughly(do("lastsave")), do("swapdb", 0, 1), do("swapdb", 0, 1), do("swapdb", 0, 99), do("flushdb"),
    do("flushdb", asynchronous=True), do("flushall", asynchronous=False), do("config_rewrite"),
    do("cluster", "info"), do("cluster", "nodes"), do("failover"), do("failover", abort=True), do("save"),
    do("migrate", "127.0.0.1", 1, "none", 0, 10), do("migrate", "127.0.0.1", 1, [], 0, 10),
    do("restore", "r", 0, b"none"), do("hotkeys_get"), do("hotkeys_start"), do("hotkeys_stop"), do("hotkeys_reset"),
)

SCENES = {
    "strings": STRINGS, "keys": KEYS, "bits": BITS, "hashes": HASHES, "lists": LISTS, "sets": SETS, "sorted": SORTED,
    "geo": GEO, "streams": STREAMS, "scripts": SCRIPTS, "words": WORDS, "values": VALUES, "types": TYPES,
    "admin": ADMIN,
}
# fmt: on
"""All scenes; "admin" needs the rights of an administrator, the others those of an app."""

LEFT_OUT = {
    "acl_load": "it ends connections, at a moment of the server's choice",
    "bgrewriteaof": "it starts a process that other tests would meet",
    "debug_segfault": "it ends the server",
    "ar*": "arrays, which neither engine has yet; arget and arset show that both clients say so",
    "bitfield": "it builds a command and sends nothing itself; uses.py has it",
    "register_script": "it makes an object; uses.py has it",
    "*scan_iter": "they are iterators; uses.py has them",
    "himport_*_internal": "redis-py's own, for its pipelines",
    "*sync": "they turn a connection into a replica's",
}
"""Patterns of methods that are not compared here, and why not; those that routes.REFUSED names are not, either."""


def is_left_out(method: str) -> bool:
    """Say whether a method is not compared by a call."""
    return any(fnmatchcase(method, pattern) for pattern in LEFT_OUT)
