// The apps of Node's limiters, each with /free, where nobody is refused, and /shut, where everybody is.
// `node apps.cjs NAME PORT` serves one on loopback; REDIS_URL names the server.
const express = require("express");
const { createClient } = require("redis");

const MANY = 1e12, HOUR = 3600;
const [name, port] = process.argv.slice(2);
const app = express();
const answer = (_, response) => response.json({ ok: true });

const LIMITERS = {
  express_bare: async () => () => (_request, _response, next) => next(),
  express_rate_limit: async (client) => {
    const { rateLimit } = require("express-rate-limit");
    const { RedisStore } = require("rate-limit-redis");
    return (path, limit) => rateLimit({
      windowMs: HOUR * 1000, limit, standardHeaders: "draft-8", legacyHeaders: false,
      store: new RedisStore({ prefix: path, sendCommand: (...words) => client.sendCommand(words) }),
    });
  },
  rate_limiter_flexible: async (client) => {
    const { RateLimiterRedis } = require("rate-limiter-flexible");
    return (path, points) => {
      const limiter = new RateLimiterRedis({
        storeClient: client, keyPrefix: path, points, duration: HOUR, inMemoryBlockOnConsumed: points, useRedisPackage: true,
      });
      return (request, response, next) => limiter.consume(request.ip).then(() => next(), (refused) => {
        response.set("Retry-After", Math.ceil((refused.msBeforeNext || 1000) / 1000)).status(429).send("Too Many Requests");
      });
    };
  },
};

(async () => {
  const client = await createClient({ url: process.env.REDIS_URL }).connect();
  const limiter = await LIMITERS[name](client);
  app.get("/free", limiter("free", MANY), answer);
  app.get("/shut", limiter("shut", 1), answer);
  app.listen(Number(port), "127.0.0.1");
})();
