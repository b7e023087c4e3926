// What the official client does when it may not have the transport that it wants: it falls back where the network lets nothing else pass, and refuses what cannot be.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { clients } from "../lib/clients.mjs";
import { everything } from "../lib/everything.mjs";
import { Probe } from "../lib/servers.mjs";

const client = clients[0];
const { signalR } = client.library("JSON");
const { HttpTransportType } = signalR;

let server;
before(async () => {
  server = await Probe.start();
});
after(() => server?.stop());

function build(url, protocol, transport, options = {}) {
  const builder = new signalR.HubConnectionBuilder().withUrl(`${url}probe`, { ...options, transport }).configureLogging(signalR.LogLevel.None);
  const library = client.library(protocol);
  if (library.protocol) builder.withHubProtocol(library.protocol());
  return builder.build();
}

test("MessagePack cannot be had over server-sent events", { timeout: 60_000 }, async () => {
  await assert.rejects(build(server.url, "MessagePack", HttpTransportType.ServerSentEvents).start(), /ServerSentEvents/);
});

// blocking is a proxy that refuses WebSockets, and event streams if it is told to; seen has what it let through.
async function blocking(target, events, use) {
  const seen = new Set();
  const proxy = http.createServer((req, res) => {
    const stream = /text\/event-stream/.test(req.headers.accept ?? "");
    if (stream && events) {
      res.writeHead(403).end();
      return;
    }
    if (req.method === "GET") seen.add(stream ? "ServerSentEvents" : "LongPolling");
    const to = new URL(req.url, target);
    const forward = http.request(to, { method: req.method, headers: { ...req.headers, host: to.host } }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
      res.flushHeaders();
    });
    forward.on("error", () => res.destroy());
    res.on("close", () => forward.destroy());
    req.pipe(forward);
  });
  let upgrades = 0;
  proxy.on("upgrade", (_, socket) => {
    upgrades++;
    socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${proxy.address().port}/`);
  } finally {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
  return { upgrades, seen: [...seen] };
}

for (const [protocol, events, want] of [
  ["JSON", false, "ServerSentEvents"],
  ["JSON", true, "LongPolling"],
  ["MessagePack", false, "LongPolling"],
]) {
  test(`falls back to ${want} where WebSockets${events ? " and event streams" : ""} are blocked, ${protocol}`, { timeout: 60_000 }, async () => {
    const result = await blocking(server.url, events, async (url) => {
      const connection = build(url, protocol, undefined);
      await everything(signalR, connection);
      await connection.stop();
    });
    assert.ok(result.upgrades > 0, "a WebSocket was tried first");
    assert.deepEqual(result.seen, [want]);
  });
}
