// An app with sessions as Express apps have them: REDIS_URL and SECRETS (a JSON list) say where and how.
// /op takes JSON: {"set": {...}, "drop": [...], "do": "destroy" | "regenerate"} and answers what the session is.

const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient } = require("redis");

async function main() {
  const client = createClient({ url: process.env.REDIS_URL });
  await client.connect();
  const app = express();
  const options = JSON.parse(process.env.SESSION_OPTIONS || "{}");
  app.use(
    session({
      store: new RedisStore({ client }),
      secret: JSON.parse(process.env.SECRETS),
      resave: false,
      saveUninitialized: false,
      rolling: true,
      cookie: { maxAge: 86400000, sameSite: "lax" },
      ...options,
    }),
  );
  app.use(express.json());

  app.post("/op", (req, res, next) => {
    const { set = {}, drop = [], raw = "", do: act = "" } = req.body || {};
    const answer = (error) => (error ? next(error) : res.json({ id: req.sessionID, fields: fields(req) }));
    if (act) return req.session[act](answer);
    Object.assign(req.session, set, raw ? JSON.parse(raw) : {});
    for (const name of drop) delete req.session[name];
    return answer();
  });
  app.get("/begin", (req, res) => {
    Object.assign(req.session, { user: 42, name: "Ada Lovelace", cart: [1, 2, 3], theme: "dark" });
    res.send("begun");
  });
  app.get("/read", (req, res) => res.send(`user ${req.session.user}`));
  app.get("/write", (req, res) => {
    req.session.n = (req.session.n || 0) + 1;
    res.send(`user ${req.session.user}`);
  });
  app.use((error, req, res, _next) => res.status(500).json({ error: error.message }));

  const server = app.listen(Number(process.env.PORT || 0), "127.0.0.1", () => {
    console.log(server.address().port);
  });
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0)); // whoever started it has gone
}

function fields(req) {
  if (!req.session) return null;
  const { cookie, ...rest } = req.session;
  return rest;
}

main();
