// The compiled client talks to the Go program, whose binary EXAMPLE names.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const started = [];

/** Starts a program and returns a function that waits for a line of its output which matches. */
function start(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  const seen = [];
  const waiting = new Set();
  const settle = () => waiting.forEach((look) => look());
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => (seen.push(line), settle()));
  }
  let ended = false;
  child.on("close", () => ((ended = true), settle()));
  return (pattern) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const match = seen.map((line) => pattern.exec(line)).find((m) => m !== null);
        if (match) resolve(match);
        else if (ended) reject(new Error(`${command} has ended without ${pattern}: ${seen.join("\n")}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
}

after(() => started.forEach((child) => child.kill()));

test("two compiled clients talk through the hub", { timeout: 300_000 }, async () => {
  assert.ok(process.env.EXAMPLE, "EXAMPLE must name the compiled Go program");
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { cwd: root, stdio: "inherit" });
  const server = start(process.env.EXAMPLE, ["-addr", "127.0.0.1:0"]);
  const [, url] = await server(/hub on (http:\S+)/);
  const ann = start(process.execPath, ["out/chat.js", "Ann", url]);
  await ann(/^0 messages so far$/);
  await ann(/^Ann: hello, this is Ann$/);
  const bob = start(process.execPath, ["out/chat.js", "Bob", url]);
  await bob(/^1 messages so far$/);
  await bob(/^Ann: hello, this is Ann$/);
  await Promise.all([ann(/^Bob: hello, this is Bob$/), bob(/^Bob: hello, this is Bob$/)]);
});
