// The official client in Chromium, from a page of the server's own origin.
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checks } from "../lib/checks.js";
import { launch, withoutChromium } from "../lib/chromium.mjs";
import { runCheck } from "../lib/run-check.mjs";
import { Spoked } from "../lib/spoked.mjs";

const require = createRequire(import.meta.url);
const { version } = require("@microsoft/signalr/package.json");
const files = {
  "/interop/signalr.js": require.resolve("@microsoft/signalr/dist/browser/signalr.js"),
  "/interop/checks.js": fileURLToPath(new URL("../lib/checks.js", import.meta.url)),
};

describe(`client ${version} in Chromium`, withoutChromium, () => {
  let browser;
  let shared;
  before(async () => {
    [browser, shared] = await Promise.all([launch(), Spoked.start()]);
  });
  after(async () => {
    await browser?.close();
    await shared?.stop();
  });

  for (const check of checks) {
    test(check.name, { timeout: 60_000 }, () =>
      runCheck(check, shared, async (url, control) => {
        const context = await browser.newContext();
        try {
          const page = await context.newPage();
          // A page of the server's own, without a policy for scripts; only the scripts are put in front of the server.
          await page.route("**/interop/*", (route) =>
            route.fulfill({ path: files[new URL(route.request().url()).pathname], contentType: "text/javascript" }),
          );
          await page.exposeFunction("interopControl", (name) => control[name]());
          await page.goto(`${url}healthz`);
          await page.addScriptTag({ url: "/interop/signalr.js" });
          await page.evaluate(
            async ({ name, url }) => {
              const { checks } = await import("/interop/checks.js");
              const call = (what) => () => window.interopControl(what);
              await checks.find((c) => c.name === name).run({
                signalR: window.signalR, url, control: { cut: call("cut"), stop: call("stop"), restart: call("restart"), running: call("running") },
              });
            },
            { name: check.name, url },
          );
        } finally {
          await context.close();
        }
      }),
    );
  }
});
