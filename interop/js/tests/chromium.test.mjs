// The official client in Chromium, with both protocols, from a page of the server's own origin.
import { createRequire } from "node:module";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checks } from "../lib/checks.js";
import { launch, withoutChromium } from "../lib/chromium.mjs";
import { protocols } from "../lib/clients.mjs";
import { runCheck, Servers, Suite } from "../lib/run-check.mjs";

const require = createRequire(import.meta.url);
const { version } = require("@microsoft/signalr/package.json");

// file is what a path under /interop/ stands for: a library by name, or a file of lib.
const libraries = {
  "signalr.js": require.resolve("@microsoft/signalr/dist/browser/signalr.js"),
  "messagepack.js": require.resolve("@microsoft/signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.js"),
};
function file(url) {
  const name = new URL(url).pathname.slice("/interop/".length);
  return libraries[name] ?? fileURLToPath(new URL(`../lib/${name}`, import.meta.url));
}

// inPage runs a check; it is sent to the page as text.
async function inPage({ name, url, protocol }) {
  const { checks } = await import("/interop/checks.js");
  const { signalR } = window;
  const call = (what) => () => window.interopControl(what);
  await checks.find((c) => c.name === name).run({
    client: protocol === "JSON" ? { signalR } : { signalR, protocol: () => new signalR.protocols.msgpack.MessagePackHubProtocol() },
    json: protocol === "JSON",
    url,
    control: { cut: call("cut"), stop: call("stop"), restart: call("restart"), running: call("running") },
  });
}

for (const protocol of protocols) {
  describe(`JavaScript ${version} in Chromium, ${protocol}`, withoutChromium, () => {
    const start = async () => {
      const servers = await Servers.start();
      try {
        return { servers, browser: await launch() };
      } catch (error) {
        await servers.stop();
        throw error;
      }
    };
    const run = (check, { servers, browser }) =>
      runCheck(check, servers, async (url, control) => {
        const context = await browser.newContext();
        try {
          const page = await context.newPage();
          // Only the scripts are put in front of the server. The page has to come from it (any answer will do, without a policy for scripts):
          // Chromium lets no page of unknown whereabouts connect to this machine.
          await page.route("**/interop/*", (route) => route.fulfill({ path: file(route.request().url()), contentType: "text/javascript" }));
          await page.exposeFunction("interopControl", (name) => control[name]());
          await page.goto(url + (check.probe ? "probe" : "healthz"));
          await page.addScriptTag({ url: "/interop/signalr.js" });
          if (protocol === "MessagePack") await page.addScriptTag({ url: "/interop/messagepack.js" });
          await page.evaluate(inPage, { name: check.name, url, protocol });
        } finally {
          await context.close();
        }
      });
    const suite = new Suite(checks, start, run);
    after(() =>
      suite.stop(async ({ servers, browser }) => {
        await browser.close();
        await servers.stop();
      }),
    );
    for (const check of checks) test(check.name, { timeout: 120_000 }, () => suite.run(check));
  });
}
