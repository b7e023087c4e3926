// The official clients in Node, with both protocols.
import { after, describe, test } from "node:test";
import { checks } from "../lib/checks.js";
import { clients, protocols } from "../lib/clients.mjs";
import { runCheck, Servers, Suite } from "../lib/run-check.mjs";

for (const client of clients) {
  for (const protocol of protocols) {
    describe(`JavaScript ${client.version} in Node, ${protocol}`, () => {
      const own = checks.filter(client.can);
      const library = client.library(protocol);
      const run = (check, shared) => runCheck(check, shared, (url, control) => check.run({ client: library, json: protocol === "JSON", url, control }));
      const suite = new Suite(own, Servers.start, run);
      after(() => suite.stop((shared) => shared.stop()));
      for (const check of own) test(check.name, { timeout: 120_000 }, () => suite.run(check));
    });
  }
}
