// BullMQ and bull-board, driven by tests: one order a line (JSON), one answer a line, in turn.
//
// `call` reaches every method of BullMQ's Queue, so that a test says what Node does, not how.

const { createInterface } = require("node:readline");
const { FlowProducer, Job, Queue, QueueEvents, UnrecoverableError, Worker } = require("bullmq");

const open = { queues: new Map(), workers: new Map(), events: new Map(), others: [] };
let connection = null;

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function queue(name) {
  if (!open.queues.has(name)) open.queues.set(name, quiet(new Queue(name, { connection })));
  return open.queues.get(name);
}

function quiet(thing) {
  thing.on("error", () => {});
  return thing;
}

// What a job does is in its data; whatever names no deed is given back as it came.
const DEEDS = {
  echo: (job) => job.data,
  fail: () => { throw new Error("broken"); },
  fatal: () => { throw new UnrecoverableError("hopeless"); },
  flaky: (job, times) => {
    if (job.attemptsMade < times) throw new Error(`attempt ${job.attemptsMade}`);
    return `well after ${job.attemptsMade}`;
  },
  children: async (job) => Object.values(await job.getChildrenValues()).sort(),
  ignored: async (job) => Object.values(await job.getIgnoredChildrenFailures()).sort(),
  tell: async (job) => {
    await job.updateProgress({ percent: 50 });
    await job.log("half of it");
    return "told";
  },
  sleep: (_, seconds) => sleep(seconds),
  hang: () => new Promise(() => {}),
  nothing: () => undefined,
};

function processor(ran) {
  return async (job) => {
    ran.push({ id: job.id, name: job.name, attemptsMade: job.attemptsMade, at: Date.now() / 1000 });
    const [deed, word] = Object.entries(job.data?.do ?? { echo: null })[0];
    return DEEDS[deed](job, word);
  };
}

const ORDERS = {
  connect: ({ options }) => { connection = { ...options, maxRetriesPerRequest: null }; },
  call: async ({ name, method, args }) => plain(await queue(name)[method](...args)),
  job: async ({ name, id, method, args }) => plain(await (await Job.fromId(queue(name), id))[method](...args)),
  read: async ({ name, id }) => plain((await Job.fromId(queue(name), id)) ?? null),
  flow: async ({ tree }) => {
    const producer = quiet(new FlowProducer({ connection }));
    open.others.push(producer);
    return tidy(await producer.add(tree));
  },
  work: async ({ name, options }) => {
    const ran = [];
    const worker = quiet(new Worker(name, processor(ran), { connection, ...options }));
    open.workers.set(name, { worker, ran });
    await worker.waitUntilReady();
  },
  ran: ({ name }) => open.workers.get(name).ran,
  stop: ({ name }) => open.workers.get(name).worker.close(),
  listen: async ({ name, kinds }) => {
    const listener = quiet(new QueueEvents(name, { connection }));
    const heard = [];
    for (const kind of kinds) listener.on(kind, (event) => heard.push({ kind, ...event }));
    open.events.set(name, { listener, heard });
    await listener.waitUntilReady();
  },
  heard: ({ name }) => open.events.get(name).heard,
  wait: async ({ name, id }) => {
    const { listener } = open.events.get(name);
    return (await Job.fromId(queue(name), id)).waitUntilFinished(listener, 10000);
  },
  board: ({ names }) => board(names.map(queue)),
  reset: async () => {
    const all = [
      ...[...open.workers.values()].map(({ worker }) => worker.close(true)),
      ...[...open.events.values()].map(({ listener }) => listener.close()),
      ...[...open.queues.values(), ...open.others].map((thing) => thing.close()),
    ];
    for (const kept of [open.queues, open.workers, open.events]) kept.clear();
    open.others = [];
    await Promise.allSettled(all);
  },
};

function tidy({ job, children = [] }) {
  return { id: job.id, children: children.map(tidy) };
}

function plain(value) {
  if (value instanceof Job) return { ...value.asJSON(), ...value.toJSON() };
  return Array.isArray(value) ? value.map(plain) : value;
}

// bull-board on express, as teams run it; a test asks its HTTP API what the page would show.
function board(queues) {
  const { createBullBoard } = require("@bull-board/api");
  const { BullMQAdapter } = require("@bull-board/api/bullMQAdapter");
  const { ExpressAdapter } = require("@bull-board/express");
  const express = require("express");
  const serverAdapter = new ExpressAdapter();
  createBullBoard({ queues: queues.map((one) => new BullMQAdapter(one)), serverAdapter });
  return new Promise((done) => {
    const server = express().use("/", serverAdapter.getRouter()).listen(0, "127.0.0.1", () => {
      open.others.push({ close: () => { server.closeAllConnections(); server.close(); } });
      done(server.address().port);
    });
  });
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const answer = await Promise.resolve(order)
      .then(ORDERS[order.do])
      .then((value) => ({ value: value ?? null }), (error) => ({ error: String(error.stack ?? error) }));
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

main();
