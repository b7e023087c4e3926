// The page of spoked in Chromium: what it does, at three widths, in both colour schemes, and with the keyboard alone. Screenshots go to out/.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, withoutChromium } from "../lib/chromium.mjs";
import { Cable, Spoked } from "../lib/servers.mjs";

const out = fileURLToPath(new URL("../out/", import.meta.url));
const PATIENCE = 30_000; // ms
const sizes = [
  { width: 320, height: 720 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 },
];

describe("the page", withoutChromium, () => {
  let browser;
  let server;
  before(async () => {
    mkdirSync(out, { recursive: true });
    [browser, server] = await Promise.all([launch(), Spoked.start()]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  // tabs opens the page in n tabs of one window and watches for whatever a browser complains about.
  async function tabs(n, { url = server.url, mayLoseNetwork = false, ...options } = {}) {
    const context = await browser.newContext({ colorScheme: "light", reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE);
    const complaints = [];
    const pages = [];
    for (let i = 0; i < n; i++) {
      const page = await context.newPage();
      page.on("console", (m) => {
        if (["error", "warning"].includes(m.type()) && !(mayLoseNetwork && /ERR_|WebSocket/.test(m.text()))) complaints.push(m.text());
      });
      page.on("pageerror", (e) => complaints.push(String(e)));
      await page.goto(url);
      await page.locator("#status[data-state=connected]").waitFor();
      await page.locator("#chat-title", { hasText: "#lobby" }).waitFor();
      pages.push(page);
    }
    return { context, pages, complaints };
  }

  const rename = async (page, name) => {
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Save" }).click();
  };
  const say = async (page, text) => {
    await page.locator("#message").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const heard = (page, text) => page.locator("#log .text", { hasText: text }).last().waitFor();
  const number = async (page, id) => Number((await page.locator(id).textContent()).replaceAll(",", ""));
  const until = async (page, what, f, arg) => {
    await page.waitForFunction(f, arg, { timeout: PATIENCE }).catch(() => assert.fail(`waited in vain until ${what}`));
  };
  const broadcastMoves = async (page) => {
    const before = await number(page, "#live-received");
    await until(page, "the live broadcast moves", (n) => Number(document.getElementById("live-received").textContent.replaceAll(",", "")) > n + 5, before);
    await until(page, "a rate is shown", () => Number(document.getElementById("live-rate").textContent) > 1);
    await until(page, "round trips are shown", () => /\d ms$/.test(document.getElementById("rtt-p99").textContent));
    await until(page, "jitter is shown", () => /\d ms$/.test(document.getElementById("jitter-p99").textContent));
  };
  // fitsIn finds what a viewer would call broken: sideways scrolling, texts or controls cut off or out of sight.
  const misfits = (page) =>
    page.evaluate(() => {
      const found = [];
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} px wide in ${width} px`);
      for (const e of document.querySelectorAll("h1, h2, button, input, textarea, dd, td, th, canvas, #log p, .status")) {
        if (e.closest("[hidden]") || e.checkVisibility?.() === false) continue;
        const box = e.getBoundingClientRect();
        const name = `${e.tagName.toLowerCase()}#${e.id || e.textContent.trim().slice(0, 20)}`;
        if (box.width === 0 || box.height === 0) found.push(`${name} has no size`);
        if (box.left < 0 || box.right > width + 0.5) found.push(`${name} reaches from ${box.left} to ${box.right} of ${width} px`);
        if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible" && e.clientWidth > 0) found.push(`${name} is cut off`);
      }
      return found;
    });

  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of sizes) {
      test(`at ${viewport.width} px, ${colorScheme}`, { timeout: 180_000 }, async () => {
        const { context, pages, complaints } = await tabs(2, { viewport, colorScheme });
        const [ada, grace] = pages;
        await rename(ada, "Ada Lovelace");
        await rename(grace, "Grace Hopper");
        await say(ada, "Hello, is anybody here?");
        await heard(grace, "Hello, is anybody here?");
        await say(grace, "I am. Grüße, ¡hola!, <b>not bold</b> 😀");
        await heard(ada, "<b>not bold</b>");
        await say(grace, `A long line has to wrap on a narrow screen, and so has ${"a-word-without-end-".repeat(8)}`);
        await heard(ada, "A long line has to wrap");
        // A room of their own, and back: the badge says what was missed.
        await grace.getByLabel("Join or open a room").fill("engine room");
        await grace.getByRole("button", { name: "Join", exact: true }).click();
        await grace.locator("#chat-title", { hasText: "#engine room" }).waitFor();
        await say(ada, "Where has she gone?");
        await grace.locator("#room-list button", { hasText: "lobby" }).locator(".unread", { hasText: "1" }).waitFor();
        await ada.locator("#room-list button", { hasText: "engine room" }).click();
        await grace.locator("#members-count", { hasText: "2 people" }).waitFor();
        await say(ada, "Found you.");
        await heard(grace, "Found you.");
        await ada.getByRole("button", { name: "Leave" }).click();
        await ada.locator("#chat-title", { hasText: "#lobby" }).waitFor();
        await grace.locator("#log .note", { hasText: "Ada Lovelace has left." }).waitFor();
        await broadcastMoves(ada);

        for (const [i, page] of pages.entries()) assert.deepEqual(await misfits(page), [], `tab ${i}`);
        assert.equal(await ada.locator("#c-state").textContent(), "Connected");
        assert.match(await ada.locator("#c-id").textContent(), /^[A-Za-z0-9_-]{22}$/);
        assert.equal(await number(ada, "#live-missed"), 0);
        await ada.evaluate(() => scrollTo(0, 0));
        await ada.screenshot({ path: `${out}page-${viewport.width}-${colorScheme}.png`, fullPage: true });
        await ada.locator("#members-count").click();
        await ada.locator("#members-list li").first().waitFor();
        assert.deepEqual(await misfits(ada), [], "with the list of members open");
        await ada.screenshot({ path: `${out}members-${viewport.width}-${colorScheme}.png` });
        assert.deepEqual(complaints, []);
        await context.close();
      });
    }
  }

  test("with the keyboard alone", { timeout: 180_000 }, async () => {
    const { context, pages, complaints } = await tabs(2);
    const [page, other] = pages;
    await page.bringToFront();
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
    // tabTo presses Tab until the element has the focus, and looks whether one could see that.
    const tabTo = async (id) => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        if ((await focused()) === id) {
          const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
          assert.equal(outline, "solid", `outline of #${id}`);
          return;
        }
      }
      assert.fail(`Tab never came to #${id}`);
    };

    await page.keyboard.press("Tab");
    assert.equal(await focused(), "Skip to the message box");
    await page.keyboard.press("Enter");
    await until(page, "the skip link has worked", () => document.activeElement.id === "message");
    await page.keyboard.type("typed, not clicked");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("on two lines");
    await page.keyboard.press("Enter");
    await heard(other, "typed, not clicked\non two lines");

    await page.evaluate(() => document.activeElement.blur());
    await tabTo("room-name");
    await page.keyboard.type("keys");
    await page.keyboard.press("Enter");
    await page.locator("#chat-title", { hasText: "#keys" }).waitFor();
    await until(page, "the message box has the focus", () => document.activeElement.id === "message");
    await tabTo("watch");
    await page.keyboard.press("Space");
    await page.locator("#watch[aria-pressed=false]").waitFor();
    await page.keyboard.press("Space");
    await page.locator("#watch[aria-pressed=true]").waitFor();
    await tabTo("rate");
    await page.keyboard.press("End");
    await page.locator("#rate-value", { hasText: "100 / s" }).waitFor();
    await until(other, "the other tab has the new rate", () => document.getElementById("rate").value === "100");
    await page.keyboard.press("Home");
    for (let i = 1; i < 10; i++) await page.keyboard.press("ArrowRight");
    await until(other, "the other tab has the old rate", () => document.getElementById("rate").value === "10");
    await tabTo("drop");
    await page.keyboard.press("Enter");
    await page.locator("#c-reconnects", { hasText: "1" }).waitFor();
    await tabTo("toggle");
    await page.keyboard.press("Enter");
    await page.locator("#status[data-state=disconnected]").waitFor();
    await page.keyboard.press("Enter");
    await page.locator("#status[data-state=connected]").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("an answer that comes late does not take the focus away", { timeout: 120_000 }, async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    // Completions wait at the gate while it is shut; everything else passes.
    let shut = false;
    const held = [];
    await page.routeWebSocket(/chat/, (ws) => {
      ws.connectToServer().onMessage((data) => {
        if (shut && String(data).includes('"type":3')) held.push(() => ws.send(data));
        else ws.send(data);
      });
    });
    const open = () => {
      shut = false;
      for (const send of held.splice(0)) send();
    };
    await page.goto(server.url);
    await page.locator("#chat-title", { hasText: "#lobby" }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement.id);

    shut = true;
    await say(page, "the answer to this comes late");
    assert.equal(await focused(), "message", "ready for the next message at once");
    await heard(page, "the answer to this comes late");
    await page.locator("#room-name").focus();
    await page.keyboard.type("eng");
    open();
    await page.getByRole("button", { name: "Save" }).click(); // its answer comes after the one that was held
    await page.locator("#room-name").focus();
    await page.keyboard.press("End");
    await page.keyboard.type("ine");
    assert.equal(await focused(), "room-name");
    assert.equal(await page.locator("#room-name").inputValue(), "engine");
    assert.equal(await page.locator("#message").inputValue(), "");

    shut = true;
    await page.keyboard.press("Enter");
    await page.locator("#user-name").focus();
    open();
    await page.locator("#chat-title", { hasText: "#engine" }).waitFor();
    assert.equal(await focused(), "user-name", "joining");
    await context.close();
  });

  test("a click on a room counts though the list changes under it", { timeout: 120_000 }, async () => {
    const { context, pages, complaints } = await tabs(2);
    const [page, other] = pages;
    await other.getByLabel("Join or open a room").fill("moving");
    await other.keyboard.press("Enter");
    const button = page.locator("#room-list button", { hasText: "moving" });
    await button.locator(".count", { hasText: "1" }).waitFor();
    const { x, y } = await button.locator(".room-label").boundingBox();
    await page.bringToFront();
    await page.mouse.move(x + 4, y + 4);
    await page.mouse.down();
    await other.getByLabel("Join or open a room").fill("next to it");
    await other.keyboard.press("Enter");
    await page.locator("#room-list button", { hasText: "next to it" }).waitFor();
    await page.mouse.up();
    await page.locator("#chat-title", { hasText: "#moving" }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("screen readers are told of messages, states and errors", { timeout: 120_000 }, async () => {
    const { context, pages, complaints } = await tabs(1);
    const [page] = pages;
    assert.equal(await page.getByRole("log").getAttribute("aria-live"), "polite");
    await page.getByRole("status").filter({ hasText: "Connected" }).waitFor();
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, textarea, summary")]
        .filter((e) => !(e.labels?.length || e.textContent.trim() || e.getAttribute("aria-label")))
        .map((e) => e.outerHTML),
    );
    assert.deepEqual(unnamed, [], "controls without a name");
    await page.getByLabel("Your name").fill("\u202eevil");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").filter({ hasText: "Your name holds the control character U+202E, which is not allowed." }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("comes back after a cut, a dropped socket and a restart, and stays away when told to", { timeout: 120_000 }, async () => {
    let own = await Spoked.start(["-drain", "200ms"]);
    const cable = await Cable.to(own);
    const { context, pages, complaints } = await tabs(1, { url: cable.url, mayLoseNetwork: true });
    const [page] = pages;
    await say(page, "before");
    await heard(page, "before");
    const back = async (times) => {
      await page.locator("#c-reconnects", { hasText: new RegExp(`^${times}$`) }).waitFor();
      await page.locator("#status[data-state=connected]").waitFor();
      await page.locator("#log .note", { hasText: "You are back after a reconnect." }).nth(times - 1).waitFor();
    };

    cable.cut();
    await back(1);
    assert.match(await page.locator("#c-close").textContent(), /^Lost \(code 1006\)$/);
    await page.getByRole("button", { name: "Drop and reconnect" }).click();
    await back(2);
    assert.equal(await page.locator("#c-close").textContent(), "Dropped by you");
    const { port } = own;
    await own.stop();
    own = await Spoked.start([], port);
    await back(3);
    await say(page, "after");
    await heard(page, "after");
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.locator("#status[data-state=disconnected]").waitFor();
    assert.equal(await page.locator("#c-close").textContent(), "Closed by you");
    assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await page.locator("#status[data-state=connected]").waitFor();
    await broadcastMoves(page);
    assert.deepEqual(complaints, []);
    await context.close();
    await cable.close();
    await own.stop();
  });
});
