// Headless Chromium.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = places.find((p) => p && existsSync(p));

// withoutChromium is the option that skips tests for want of a browser. In CI a browser must be there.
export const withoutChromium =
  executablePath || process.env.CI === "true" ? {} : { skip: "Chromium is missing: install it (Debian: apt-get install chromium) or set CHROMIUM to its path" };

// launch starts it. It takes certificates with the key spki, the base64 of its SHA-256, for good.
export function launch(spki = "") {
  if (!executablePath) throw new Error("Chromium is missing: install it (Debian: apt-get install chromium) or set CHROMIUM to its path");
  return chromium.launch({
    executablePath,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
      ...(spki ? [`--ignore-certificate-errors-spki-list=${spki}`] : []),
    ],
  });
}
