// The same as load.py, for ioredis with enableAutoPipelining: orders in, two lines out for each.

const { createInterface } = require("node:readline");
const Redis = require("ioredis");

const WARM = 0.15;

function connect(url) {
  const { protocol, hostname, port, pathname } = new URL(url);
  const address = protocol === "unix:" ? { path: pathname } : { host: hostname, port: Number(port) };
  return new Redis({ ...address, enableAutoPipelining: true });
}

async function drive(client, order, keys, value, seconds) {
  const run = { going: true };
  const getter = async (key) => {
    let done = 0;
    for (; run.going; done++) await client.get(key);
    return done;
  };
  const setter = async (key) => {
    let done = 0;
    for (; run.going; done++) await client.set(key, value);
    return done;
  };
  const began = performance.now();
  const cpu = process.cpuUsage();
  setTimeout(() => { run.going = false; }, seconds * 1000);
  const counts = await Promise.all(keys.map(order.op === "get" ? getter : setter));
  const { user, system } = process.cpuUsage(cpu);
  return {
    done: counts.reduce((sum, count) => sum + count, 0),
    seconds: (performance.now() - began) / 1000,
    cpu: (user + system) / 1e6,
  };
}

async function measure(order) {
  const client = connect(order.url);
  const keys = Array.from({ length: order.callers }, (_, number) => `key:${number}`);
  const value = "x".repeat(order.size);
  await Promise.all(keys.map((key) => client.set(key, value)));
  await drive(client, order, keys, value, WARM);
  console.log(JSON.stringify({ warm: true }));
  const result = await drive(client, order, keys, value, order.seconds);
  client.disconnect();
  return result;
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await measure(JSON.parse(line))));
  }
}

main();
