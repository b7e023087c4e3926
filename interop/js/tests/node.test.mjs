// The official clients in Node, with both protocols.
import { after, before, describe, test } from "node:test";
import { checks } from "../lib/checks.js";
import { clients, protocols } from "../lib/clients.mjs";
import { Begun, runCheck, Servers } from "../lib/run-check.mjs";

for (const client of clients) {
  for (const protocol of protocols) {
    describe(`JavaScript ${client.version} in Node, ${protocol}`, () => {
      let shared;
      const begun = new Begun();
      const own = checks.filter(client.can);
      const library = client.library(protocol);
      const run = (check) => runCheck(check, shared, (url, control) => check.run({ client: library, json: protocol === "JSON", url, control }));
      before(async () => {
        shared = await Servers.start();
        begun.begin(own, run);
      });
      after(() => shared?.stop());
      for (const check of own) test(check.name, { timeout: 120_000 }, () => begun.of(check) ?? run(check));
    });
  }
}
