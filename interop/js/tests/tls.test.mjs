// The official client in Node over https and wss: each transport with each hub protocol that it allows, on each backend; and a certificate that is not trusted.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificate } from "../lib/certificate.mjs";
import { Spoked } from "../lib/servers.mjs";

const script = fileURLToPath(new URL("../lib/secure-client.mjs", import.meta.url));

// client runs one in a process of its own, which trusts the certificate or not, and resolves to its exit code and what it said.
const client = (trusted, ...args) =>
  new Promise((resolve) => {
    const env = { ...process.env };
    if (!trusted) delete env.NODE_EXTRA_CA_CERTS;
    execFile(process.execPath, [script, ...args], { env, timeout: 100_000 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, said: stdout + stderr }));
  });

for (const backend of ["epoll", "gnet"]) {
  describe(`https and wss, ${backend}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => {
      const { cert, key } = certificate();
      server = await Spoked.start(["-engine", backend, "-tls-cert", cert, "-tls-key", key]);
    });
    after(() => server?.stop());

    for (const [transport, protocols] of [
      ["WebSockets", ["JSON", "MessagePack"]],
      ["ServerSentEvents", ["JSON"]],
      ["LongPolling", ["JSON", "MessagePack"]],
    ]) {
      for (const protocol of protocols) {
        test(`${transport}, ${protocol}`, async () => {
          const { code, said } = await client(true, server.url, transport, protocol);
          assert.equal(code, 0, said);
        });
      }
    }

    test("a certificate that is not trusted", async () => {
      const { code, said } = await client(false, server.url, "WebSockets", "JSON");
      assert.notEqual(code, 0);
      assert.match(said, /fetch failed|self-signed certificate/);
    });
  });
}
