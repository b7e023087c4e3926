// The official clients in Node, in each way that they can talk to a server.
import { after, describe, test } from "node:test";
import { checks } from "../lib/checks.js";
import { clients, waysIn } from "../lib/clients.mjs";
import { runCheck, Servers, Suite } from "../lib/run-check.mjs";

// Several at a time: they mostly wait for the server, or for time to pass.
describe("official clients in Node", { concurrency: 5 }, () => {
  for (const client of clients) {
    for (const way of waysIn("inNode")) {
      describe(`JavaScript ${client.version} in Node, ${way.name}`, { concurrency: 1 }, () => {
        const own = checks.filter((check) => client.can(check, way));
        const library = client.library(way.protocol, way.transport);
        const run = (check, shared) => runCheck(check, shared, (url, control) => check.run({ client: library, json: way.protocol === "JSON", url, control }));
        const suite = new Suite(own, () => Servers.start(way.scheme), run);
        after(() => suite.stop((shared) => shared.stop()));
        for (const check of own) test(check.name, { timeout: 120_000 }, () => suite.run(check));
      });
    }
  }
});
