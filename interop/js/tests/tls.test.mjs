// The official client in Node over https and wss: each transport with each hub protocol that it allows, on each backend; and a certificate that is not trusted.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Spoked } from "../lib/servers.mjs";

const script = fileURLToPath(new URL("../lib/secure-client.mjs", import.meta.url));

// client runs one in a process of its own and resolves to its exit code and what it said.
const client = (trusted, ...args) =>
  new Promise((resolve) => {
    const env = { ...process.env };
    if (trusted) env.NODE_EXTRA_CA_CERTS = trusted;
    execFile(process.execPath, [script, ...args], { env, timeout: 100_000 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, said: stdout + stderr }));
  });

let folder, certificate, key;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "spoke-tls-"));
  [certificate, key] = ["server.crt", "server.key"].map((name) => path.join(folder, name));
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
});
after(() => folder && rmSync(folder, { recursive: true, force: true }));

for (const backend of ["epoll", "gnet"]) {
  describe(`https and wss, ${backend}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => {
      server = await Spoked.start(["-engine", backend, "-tls-cert", certificate, "-tls-key", key]);
    });
    after(() => server?.stop());

    for (const [transport, protocols] of [
      ["WebSockets", ["JSON", "MessagePack"]],
      ["ServerSentEvents", ["JSON"]],
      ["LongPolling", ["JSON", "MessagePack"]],
    ]) {
      for (const protocol of protocols) {
        test(`${transport}, ${protocol}`, async () => {
          const { code, said } = await client(certificate, server.url, transport, protocol);
          assert.equal(code, 0, said);
        });
      }
    }

    test("a certificate that is not trusted", async () => {
      const { code, said } = await client(null, server.url, "WebSockets", "JSON");
      assert.notEqual(code, 0);
      assert.match(said, /fetch failed|self-signed certificate/);
    });
  });
}
