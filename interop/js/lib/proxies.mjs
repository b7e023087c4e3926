// nginx and HAProxy, with the configurations of examples/deploy as they are: only ports, users and paths are the test's own.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { certificate } from "./certificate.mjs";

const START_LIMIT = 30_000; // ms
const STOP_LIMIT = 30_000;

process.env.PATH += ":/usr/sbin:/sbin"; // where Debian has them

// missing names the programs that are not there.
export function missing() {
  return ["nginx", "haproxy"].filter((name) => {
    try {
      execFileSync("sh", ["-c", `command -v ${name}`]);
      return false;
    } catch {
      return true;
    }
  });
}

const running = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

// Folder is a fresh one, with the certificate of the test run, the sockets of the servers and all that the proxies write.
export class Folder {
  path = mkdtempSync(path.join(os.tmpdir(), "spoke-proxies-"));

  constructor() {
    folders.add(this.path);
    const { cert, key } = certificate();
    copyFileSync(cert, this.in("fullchain.pem"));
    copyFileSync(key, this.in("privkey.pem"));
    writeFileSync(this.in("haproxy.pem"), readFileSync(cert, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
  }
  in(name) {
    return path.join(this.path, name);
  }
  remove() {
    rmSync(this.path, { recursive: true, force: true });
    folders.delete(this.path);
  }
}

// fill replaces texts of a file of examples/deploy, each of which must be in it.
function fill(name, pairs) {
  let text = readFileSync(fileURLToPath(new URL(`../../../examples/deploy/${name}`, import.meta.url)), "utf8");
  for (const [from, to] of pairs) {
    if (!text.includes(from)) throw new Error(`examples/deploy/${name} has no ${JSON.stringify(from)}: the test and the example must fit each other`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const user = os.userInfo();
const group = execFileSync("id", ["-gn"], { encoding: "utf8" }).trim();

// freePorts takes ports of 127.0.0.1 that nobody listens on.
async function freePorts(n) {
  const servers = await Promise.all(
    Array.from(
      { length: n },
      () => new Promise((resolve, reject) => {
        const server = net.createServer();
        server.once("error", reject).listen(0, "127.0.0.1", () => resolve(server));
      }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

const open = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

// Proxy is a running one: http and https are where it serves, with a slash at the end; what is 0 it does not serve.
class Proxy {
  log = "";
  #child;
  #exited;

  constructor(httpPort, httpsPort) {
    this.ports = [httpPort, httpsPort].filter((port) => port !== 0);
    this.http = `http://127.0.0.1:${httpPort}/`;
    this.https = `https://127.0.0.1:${httpsPort}/`;
  }

  async run(file, args) {
    this.#child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.#child);
    for (const out of [this.#child.stdout, this.#child.stderr])
      out.setEncoding("utf8").on("data", (text) => {
        this.log = (this.log + text).slice(-20_000);
      });
    let ended = false;
    this.#exited = new Promise((resolve) =>
      this.#child.once("close", (code, signal) => {
        ended = true;
        running.delete(this.#child);
        resolve(code ?? signal);
      }),
    );
    const limit = Date.now() + START_LIMIT;
    for (const port of this.ports) {
      while (!(await open(port))) {
        if (ended) throw new Error(`${file} ended before it served; it said:\n${this.log}`);
        if (Date.now() > limit) throw new Error(`${file} does not listen on ${port}; it said:\n${this.log}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    return this;
  }

  // stop ends it at once, and everything that it started.
  async stop() {
    this.#child.kill("SIGTERM");
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the proxy does not end; it said:\n${this.log}`)), STOP_LIMIT);
    });
    try {
      await Promise.race([this.#exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

// nginx starts it in the foreground; its own files go into folder.
export async function nginx(folder) {
  const [http, https] = await freePorts(2);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `    ${kind}_temp_path ${folder.in(kind)};\n`).join("");
  const file = folder.in("nginx.conf");
  writeFileSync(
    file,
    fill("nginx.conf", [
      ["user www-data;", user.uid === 0 ? `user ${user.username} ${group};` : ""],
      ["pid /run/nginx.pid;", `pid ${folder.in("nginx.pid")};`],
      ["error_log /var/log/nginx/error.log warn;", "error_log stderr warn;"],
      ["worker_processes auto;", "worker_processes 2;"],
      ["worker_rlimit_nofile 131072;", "worker_rlimit_nofile 4096;"],
      ["worker_connections 65536;", "worker_connections 1024;"],
      ["access_log off;\n", `access_log off;\n${temporary}`],
      ["listen 80;", `listen 127.0.0.1:${http};`],
      ["listen 443 ssl;", `listen 127.0.0.1:${https} ssl;`],
      ["/etc/ssl/chat.example/", `${folder.path}/`],
      ["/run/spoke/", `${folder.path}/`],
    ]),
  );
  return new Proxy(http, https).run("nginx", ["-e", "stderr", "-p", folder.path, "-c", file, "-g", "daemon off;"]);
}

// haproxy starts it in the foreground.
export async function haproxy(folder) {
  const [http, https] = await freePorts(2);
  const file = folder.in("haproxy.cfg");
  writeFileSync(
    file,
    fill("haproxy.cfg", [
      ["    user haproxy\n    group haproxy\n", ""],
      ["maxconn 60000", "maxconn 500"],
      ["bind :80\n", `bind 127.0.0.1:${http}\n`],
      ["bind :443 ssl", `bind 127.0.0.1:${https} ssl`],
      ["/etc/ssl/chat.example/", `${folder.path}/`],
      ["unix@/run/spoke/", `unix@${folder.path}/`],
    ]),
  );
  return new Proxy(http, https).run("haproxy", ["-db", "-f", file]);
}

// haproxyTCP starts the one that passes TLS on.
export async function haproxyTCP(folder) {
  const [https] = await freePorts(1);
  const file = folder.in("haproxy-tcp.cfg");
  writeFileSync(
    file,
    fill("haproxy-tcp.cfg", [
      ["    user haproxy\n    group haproxy\n", ""],
      ["maxconn 60000", "maxconn 500"],
      ["bind :443\n", `bind 127.0.0.1:${https}\n`],
      ["unix@/run/spoke/", `unix@${folder.path}/`],
    ]),
  );
  return new Proxy(0, https).run("haproxy", ["-db", "-f", file]);
}
