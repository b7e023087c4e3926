// The official clients in Node: the present one, and the oldest that are still met.
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { checks } from "../lib/checks.js";
import { runCheck } from "../lib/run-check.mjs";
import { Spoked } from "../lib/spoked.mjs";

const require = createRequire(import.meta.url);

for (const name of ["@microsoft/signalr", "signalr-6.0", "signalr-3.1"]) {
  const signalR = require(name);
  const { version } = require(`${name}/package.json`);
  describe(`client ${version} in Node`, () => {
    let shared;
    before(async () => {
      shared = await Spoked.start();
    });
    after(() => shared?.stop());
    for (const check of checks) {
      test(check.name, { timeout: 60_000 }, () => runCheck(check, shared, (url, control) => check.run({ signalR, url, control })));
    }
  });
}
