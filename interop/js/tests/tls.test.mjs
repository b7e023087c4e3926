// The official client in Node over https and wss where node.test.mjs does not go: on the gnet backend, and with a certificate that it does not trust.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { build } from "../lib/blocks.js";
import { clients, waysIn } from "../lib/clients.mjs";
import { everything } from "../lib/everything.mjs";
import { binary, Probe } from "../lib/servers.mjs";

const client = clients[0];
const secure = "https://127.0.0.1:0";

describe("https and wss, gnet", { timeout: 120_000 }, () => {
  let server;
  before(async () => {
    server = await Probe.start(["-engine", "gnet"], secure);
  });
  after(() => server?.stop());

  for (const { name, transport, protocol } of waysIn("inNode").filter((way) => way.scheme === "https")) {
    test(name, async () => {
      const library = client.library(protocol, transport);
      const connection = build(library, server.url, {}, "probe");
      await everything(library.signalR, connection);
      await connection.stop();
    });
  }
});

test("a certificate that is not trusted", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "spoke-tls-"));
  let server;
  try {
    execFileSync(binary("probe", "./interop/probe"), ["-certificate", folder]);
    server = await Probe.start(["-tls-cert", path.join(folder, "cert.pem"), "-tls-key", path.join(folder, "key.pem")], secure);
    const connection = build(client.library("JSON", "WebSockets"), server.url, {}, "probe");
    await assert.rejects(connection.start(), /fetch failed|self-signed certificate/);
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
