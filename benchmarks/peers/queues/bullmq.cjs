// The same as load.py, for Node's BullMQ; jobs are tried and kept as Redyard's are.

const { Queue, Worker } = require("bullmq");

const SIZE = 200;
const CALLERS = 100;
const PAUSE = 10;
const KEPT = {
  attempts: 3,
  backoff: { type: "exponential", delay: 2000 },
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 50 },
};

const order = JSON.parse(process.argv[2]);
const { hostname, port } = new URL(order.url);
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };

function say(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}

function clock(jobs) {
  const first = Math.floor(jobs / 10);
  let number = 0, began, cpu;
  return () => {
    number++;
    if (number === first) {
      began = performance.now();
      cpu = process.cpuUsage();
    } else if (number === jobs) {
      const { user, system } = process.cpuUsage(cpu);
      const done = jobs - first;
      say({ rate: (done / (performance.now() - began)) * 1000, cpu: (user + system) / done });
    }
  };
}

function light(jobs) {
  const seconds = [];
  return (data) => {
    seconds.push((performance.now() - data.at) / 1000);
    if (seconds.length === jobs) say({ seconds: seconds.slice(jobs / 3).sort((one, two) => one - two) });
  };
}

function work(tick) {
  new Worker("bench", async (job) => { tick(job.data); }, { connection, concurrency: order.concurrency });
}

async function main() {
  if (order.do === "work") return work(clock(order.jobs));
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  if (order.do === "add") {
    const tick = clock(order.jobs);
    const caller = async () => {
      for (let number = 0; number < order.jobs / CALLERS; number++) {
        await queue.add("noop", "x".repeat(SIZE), KEPT);
        tick();
      }
    };
    return Promise.all(Array.from({ length: CALLERS }, caller));
  }
  work(light(order.jobs));
  setInterval(() => queue.add("noop", { at: performance.now(), rest: "x".repeat(SIZE - 30) }, KEPT), PAUSE);
}

main();
