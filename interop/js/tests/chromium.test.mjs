// The official client in Chromium, in each way that it can talk to a server, from a page of the server's own origin.
import { createRequire } from "node:module";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checks } from "../lib/checks.js";
import { certificate } from "../lib/certificate.mjs";
import { launch, withoutChromium } from "../lib/chromium.mjs";
import { clients, waysIn } from "../lib/clients.mjs";
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
async function inPage({ name, url, protocol, transport }) {
  const { checks } = await import("/interop/checks.js");
  const { signalR } = window;
  const call = (what) => () => window.interopControl(what);
  await checks.find((c) => c.name === name).run({
    client: protocol === "JSON" ? { signalR, transport } : { signalR, transport, protocol: () => new signalR.protocols.msgpack.MessagePackHubProtocol() },
    json: protocol === "JSON",
    url,
    control: { cut: call("cut"), stop: call("stop"), restart: call("restart"), running: call("running") },
  });
}

// Pages are those of one suite. A check gets one for itself, which the next one then uses again: a new one for each would take most of the time.
class Pages {
  #browser;
  #idle = [];

  constructor(browser) {
    this.#browser = browser;
  }

  // use calls f(page) with a page on which the scripts of /interop/ can be had, and interopControl calls what control has of that name.
  async use(control, f) {
    const page = this.#idle.pop() ?? (await this.#open());
    page.control = control;
    await f(page);
    this.#idle.push(page); // after a failure it is not used again
  }

  async #open() {
    const context = await this.#browser.newContext(); // with connections of its own
    const page = await context.newPage();
    // Only the scripts are put in front of the server. The page has to come from it (any answer will do, without a policy for scripts):
    // Chromium lets no page of unknown whereabouts connect to this machine.
    await page.route("**/interop/*", (route) => route.fulfill({ path: file(route.request().url()), contentType: "text/javascript" }));
    await page.exposeFunction("interopControl", (name) => page.control[name]());
    return page;
  }
}

describe("the official client in Chromium", { ...withoutChromium, concurrency: 3 }, () => {
  let browser = null; // a promise
  after(async () => (await browser)?.close());

  for (const way of waysIn("inChromium")) {
    const { protocol, transport } = way;
    describe(`JavaScript ${version} in Chromium, ${way.name}`, { concurrency: 1 }, () => {
      const own = checks.filter((check) => clients[0].can(check, way));
      const start = async () => {
        browser ??= launch(certificate().spki);
        const pages = new Pages(await browser);
        return { pages, servers: await Servers.start(way.scheme) };
      };
      const run = (check, { pages, servers }) =>
        runCheck(check, servers, (url, control) =>
          pages.use(control, async (page) => {
            await page.goto(url + (check.probe ? "probe" : "healthz"));
            await page.addScriptTag({ url: "/interop/signalr.js" });
            if (protocol === "MessagePack") await page.addScriptTag({ url: "/interop/messagepack.js" });
            await page.evaluate(inPage, { name: check.name, url, protocol, transport });
            await page.goto("about:blank"); // which ends what connections there are left
          }),
        );
      const suite = new Suite(own, start, run);
      after(() => suite.stop(({ servers }) => servers.stop()));
      for (const check of own) test(check.name, { timeout: 120_000 }, () => suite.run(check));
    });
  }
});
