// The program itself: checks of a load balancer, signals, exit codes.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { Spoked } from "../lib/servers.mjs";

const signalR = createRequire(import.meta.url)("@microsoft/signalr");
// Over WebSockets only: after a refused one the client tries an event stream, and does not close it when that fails too; its library in Node then
// comes back to the server for ever, and the process does not end.
const transport = signalR.HttpTransportType.WebSockets;
const connect = (server) => new signalR.HubConnectionBuilder().withUrl(`${server.url}bench`, { transport }).configureLogging(signalR.LogLevel.None).build();

test("health, readiness and the page's headers", async () => {
  const server = await Spoked.start();
  for (const path of ["healthz", "readyz"]) {
    const answer = await fetch(server.url + path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get("cache-control"), "no-store", path);
  }
  const page = await fetch(server.url);
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("cache-control"), "no-store");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.match(page.headers.get("content-security-policy"), /^default-src 'none'; script-src 'self';/);
  for (const path of ["nowhere", "debug/pprof/", "metrics.json"]) assert.equal((await fetch(server.url + path)).status, 404, path);
  await server.stop();
});

test("readiness turns red while calls run out, and the exit code is 0", { timeout: 120_000 }, async () => {
  const server = await Spoked.start(["-admin-addr", "127.0.0.1:0", "-drain", "-1s"]);
  const client = connect(server);
  await client.start();
  const call = client.invoke("Sleep", 5000);
  await server.untilCallsRun(1);
  const admin = /url=(\S+)/.exec(server.log)[1];
  assert.equal((await fetch(`${admin}readyz`)).status, 200);
  assert.equal((await fetch(`${admin}debug/pprof/`)).status, 200);
  const exit = server.stop();
  await assert.doesNotReject(async () => {
    let status;
    do status = (await fetch(`${admin}readyz`)).status;
    while (status === 200);
    assert.equal(status, 503);
  });
  assert.equal((await fetch(`${admin}healthz`)).status, 200, "alive while draining");
  await assert.rejects(connect(server).start(), "no new connections");
  assert.equal(await call, null);
  assert.equal(await exit, 0);
});

test("SIGTERM under load loses no running call", { timeout: 120_000 }, async () => {
  const server = await Spoked.start(["-admin-addr", "127.0.0.1:0", "-drain", "500ms"]);
  const clients = Array.from({ length: 20 }, () => connect(server));
  await Promise.all(clients.map((c) => c.start()));
  const calls = clients.map((c) => c.invoke("Sleep", 4000));
  await server.untilCallsRun(clients.length);
  const exit = server.stop();
  assert.deepEqual(await Promise.all(calls), clients.map(() => null));
  assert.equal(await exit, 0);
});

test("a second signal ends it at once, with 1", { timeout: 120_000 }, async () => {
  const server = await Spoked.start(["-admin-addr", "127.0.0.1:0"]);
  const client = connect(server);
  await client.start();
  const call = client.invoke("Sleep", 60_000).catch(() => "cut off");
  await server.untilCallsRun(1);
  const begin = Date.now();
  server.signal("SIGINT");
  while ((await server.metrics()).Ready);
  server.signal("SIGTERM");
  assert.equal(await server.end(), 1);
  assert.ok(Date.now() - begin < 10_000, "it took as long as a drain");
  assert.equal(await call, "cut off");
});
