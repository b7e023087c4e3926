// Builds, starts and stops the servers under test, and cuts connections to them.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { certificate } from "./certificate.mjs";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const START_LIMIT = 60_000; // ms
const STOP_LIMIT = 60_000;

const children = new Set();
let folder = null; // of the binaries built here
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// binaries has what the environment names, and what has been built here.
const binaries = { spoked: process.env.SPOKED, probe: process.env.PROBE };

export function binary(name, pkg) {
  if (!binaries[name]) {
    folder ??= mkdtempSync(path.join(os.tmpdir(), "spoke-interop-"));
    binaries[name] = path.join(folder, name);
    execFileSync("go", ["build", "-o", binaries[name], pkg], { cwd: repository, stdio: ["ignore", "inherit", "inherit"] });
  }
  return binaries[name];
}

// Program is a running server. Its url ends with a slash.
class Program {
  url = "";
  log = "";
  #child;
  #exited;

  // run starts a binary and waits until it says where it serves: the first group of ready.
  async run(file, args, ready) {
    this.#child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    children.add(this.#child);
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        children.delete(this.#child);
        resolve({ code, signal });
      });
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.log = (this.log + text).slice(-20_000);
    });
    let out = "";
    const line = new Promise((resolve) => {
      this.#child.stdout.setEncoding("utf8").on("data", (text) => {
        out += text;
        const found = ready.exec(out);
        if (found) resolve(found[1]);
      });
    });
    const died = this.#exited.then(({ code, signal }) => {
      throw new Error(`${file} ended with ${code ?? signal} before it served; it said:\n${this.log}`);
    });
    died.catch(() => {}); // later ends are stop's business
    this.url = new URL(await within(Promise.race([line, died]), START_LIMIT, `${file} to start`)).href;
  }

  // said waits for a text in the log.
  said(text) {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.log.includes(text)) return;
        this.#child.stderr.off("data", look);
        resolve();
      };
      this.#child.stderr.on("data", look);
      look();
    });
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  // stop sends SIGTERM and returns the exit code.
  async stop() {
    this.#child.kill("SIGTERM");
    const { code, signal } = await within(this.#exited, STOP_LIMIT, "the server to drain").catch((error) => {
      this.#child.kill("SIGKILL");
      throw new Error(`${error.message}; it said:\n${this.log}`);
    });
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}, not 0; it said:\n${this.log}`);
    return code;
  }

  // signal sends a signal and returns at once; end waits for the exit code.
  signal(name) {
    this.#child.kill(name);
  }
  async end() {
    const { code } = await within(this.#exited, STOP_LIMIT, "the server to end");
    return code;
  }
}

// flags are those of a server of https.
function flags(scheme) {
  if (scheme === "http") return [];
  const { cert, key } = certificate();
  return ["-tls-cert", cert, "-tls-key", key];
}

// Probe is the server of the recorded exchanges, with the hubs of interop/probe/hubs.
export class Probe extends Program {
  // start takes probe's flags, where it listens, and whether by https if that does not say so.
  static async start(args = [], urls = "http://127.0.0.1:0", scheme = urls.startsWith("https:") ? "https" : "http") {
    const server = new Probe();
    await server.run(binary("probe", "./interop/probe"), ["-urls", urls, ...flags(scheme), ...args], /^listening on (https?:\S+)$/m);
    return server;
  }
}

// Spoked is the program spoked with the hub /bench.
export class Spoked extends Program {
  // start takes spoked's flags, and a port if it must be that one.
  static async start(args = [], port = 0, scheme = "http") {
    const server = new Spoked();
    const all = ["-bench", "-addr", `127.0.0.1:${port}`, ...flags(scheme), ...args];
    await server.run(binary("spoked", "./cmd/spoked"), all, /^Spoke is serving (https?:\S+)$/m);
    if (args.includes("-admin-addr")) await within(server.said("admin listener"), START_LIMIT, "the admin listener");
    return server;
  }

  // metrics reads the counters on the admin listener, for which there must be the flag -admin-addr.
  async metrics() {
    const found = /admin listener.* url=(\S+)/.exec(this.log);
    if (!found) throw new Error(`spoked has not said where its admin listener is; it said:\n${this.log}`);
    return (await fetch(`${found[1]}metrics.json`)).json();
  }

  // untilCallsRun waits until n hub methods are running.
  async untilCallsRun(n) {
    const limit = Date.now() + START_LIMIT;
    let running;
    do {
      running = (await this.metrics()).Server.Hubs.CallsRunning;
    } while (running < n && Date.now() < limit);
    if (running < n) throw new Error(`waited ${START_LIMIT} ms in vain for ${n} running calls: there are ${running}`);
  }
}

// Cable is a TCP relay to a server, for pulling the plug.
export class Cable {
  url = "";
  #relay;
  #pairs = new Set();

  static async to(server) {
    const cable = new Cable();
    cable.#relay = net.createServer((near) => {
      const far = net.connect(server.port, "127.0.0.1");
      const pair = { near, far };
      cable.#pairs.add(pair);
      const cut = () => {
        near.destroy();
        far.destroy();
        cable.#pairs.delete(pair);
      };
      near.on("error", cut).on("close", cut).pipe(far);
      far.on("error", cut).on("close", cut).pipe(near);
    });
    await new Promise((resolve) => cable.#relay.listen(0, "127.0.0.1", resolve));
    cable.url = `${new URL(server.url).protocol}//127.0.0.1:${cable.#relay.address().port}/`;
    return cable;
  }

  // cut resets all connections; new ones may come.
  cut() {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#relay.close(resolve));
  }
}

// within fails if a promise takes longer than limit milliseconds.
export function within(promise, limit, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms in vain for ${what}`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
