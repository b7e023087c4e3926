// The official client through nginx and HAProxy, as docs/deploy.md has them, over each transport, http and https; and what the server then knows of the client.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { build } from "../lib/blocks.js";
import { clients, waysIn } from "../lib/clients.mjs";
import { everything } from "../lib/everything.mjs";
import { Folder, haproxy, haproxyTCP, missing, nginx } from "../lib/proxies.mjs";
import { Probe } from "../lib/servers.mjs";

const absent = missing();
if (absent.length > 0 && process.env.CI === "true") throw new Error(`the tests behind proxies need ${absent.join(", ")}`);
const skip = absent.length > 0 && `not installed: ${absent.join(", ")}`;

const LIMIT = 60_000; // ms
const lies = {
  "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example", Forwarded: "for=203.0.113.9;host=evil.example",
};

// client has an official client do everything with the hub /probe and ask the hub /where whence it seems to come while it lies about that: address, address of the request,
// scheme, host.
async function client(url, { transport, protocol }) {
  const library = clients[0].library(protocol, transport);
  const probe = build(library, url, {}, "probe");
  await everything(library.signalR, probe);
  await probe.stop();
  const where = build(library, url, { headers: lies }, "where");
  await where.start();
  const seen = await where.invoke("Where");
  await where.stop();
  return seen;
}

const ways = waysIn("inNode");

const withPort = /^127\.0\.0\.1:[1-9]\d*$/;

for (const { name, start, args, address, schemes, ends } of [
  { name: "nginx", start: nginx, args: [], address: /^127\.0\.0\.1:0$/, schemes: ["http", "https"] }, // it says no port
  { name: "HAProxy", start: haproxy, args: ["-proxy-protocol"], address: withPort, schemes: ["http", "https"] },
  { name: "HAProxy that passes TLS on", start: haproxyTCP, args: ["-proxy-protocol"], address: withPort, schemes: ["https"], ends: "https" },
]) {
  describe(`behind ${name}`, { skip, timeout: 10 * LIMIT }, () => {
    let folder, proxy;
    const servers = [];
    before(async () => {
      folder = new Folder();
      for (const n of [1, 2]) servers.push(await Probe.start(["-trusted-proxies", "unix", ...args], `unix:${folder.in(`${n}.sock`)}`, ends));
      proxy = await start(folder);
    });
    after(async () => {
      await proxy?.stop();
      for (const server of servers) await server.stop();
      folder?.remove();
    });
    for (const way of ways.filter(({ scheme }) => schemes.includes(scheme))) {
      test(way.name, { timeout: 2 * LIMIT }, async () => {
        const url = proxy[way.scheme];
        const [remote, ofRequest, scheme, host] = await client(url, way);
        assert.match(remote, address, "the client's address, not its lie");
        assert.equal(ofRequest, remote);
        assert.equal(scheme, way.scheme);
        assert.equal(host, new URL(url).host);
      });
    }
    test("ordinary requests, many on one connection of the proxy", { timeout: LIMIT }, async () => {
      for (let i = 0; i < 10; i++) {
        const answer = await fetch(`${proxy[schemes[0]]}from`, { headers: { "X-Forwarded-For": "203.0.113.9" } });
        const [remote, scheme, host] = (await answer.text()).split(" ");
        assert.match(remote, address);
        assert.deepEqual([scheme, host], [schemes[0], new URL(proxy[schemes[0]]).host]);
      }
    });
  });
}

describe("in front of nobody", { timeout: 4 * LIMIT }, () => {
  let server;
  before(async () => {
    server = await Probe.start(["-trusted-proxies", "192.0.2.1", "-proxy-protocol"]);
  });
  after(() => server?.stop());

  for (const way of ways.filter(({ scheme }) => scheme === "http")) {
    test(`a lie is not believed, ${way.name}`, { timeout: 2 * LIMIT }, async () => {
      const [remote, , scheme, host] = await client(server.url, way);
      assert.match(remote, withPort);
      assert.deepEqual([scheme, host], ["http", new URL(server.url).host]);
    });
  }
  for (const [version, header] of [
    [1, "PROXY TCP4 203.0.113.9 203.0.113.10 51234 80\r\n"],
    [2, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xcb\0\x71\x0a\xc8\x22\0\x50"],
  ]) {
    test(`a PROXY header is not believed, version ${version}`, { timeout: LIMIT }, async () => {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.write(header, "latin1");
      socket.write("GET /from HTTP/1.1\r\nHost: x\r\n\r\n");
      let answer = "";
      for await (const bytes of socket) answer += bytes;
      assert.match(answer, /^HTTP\/1\.1 400 /);
    });
  }
});
