// The declarations of spokegen, judged by the TypeScript compiler: what is right compiles, what is wrong does not, for the reason it should.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL(".", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

/** Runs the compiler and returns its errors as "file:line code". */
async function compile(...args) {
  let output;
  try {
    output = (await promisify(execFile)(process.execPath, [tsc, "--pretty", "false", ...args], { cwd: folder })).stdout;
  } catch (err) {
    if (err.stdout === undefined || err.code === undefined) throw err;
    output = err.stdout;
  }
  return output
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith(" "))
    .map((line) => line.replace(/^(.*)\(([0-9]+),[0-9]+\): error (TS[0-9]+): .*$/, "$1:$2 $3"));
}

test("right uses compile, and wrong ones fail with the error that names them", async () => {
  const lines = (await readFile(`${folder}/wrong.ts`, "utf8")).split("\n");
  const want = lines.flatMap((line, i) => (/\/\/ (TS[0-9]+)$/.exec(line) ?? []).slice(1).map((code) => `wrong.ts:${i + 1} ${code}`));
  assert.ok(want.length > 20);
  assert.deepEqual(await compile("--project", "."), want);
});
