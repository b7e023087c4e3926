// What a client and the hub /probe may do with one another, for tests that do it on many ways.
import assert from "node:assert/strict";

// items collects a stream.
const items = (stream) =>
  new Promise((resolve, reject) => {
    const got = [];
    stream.subscribe({ next: (x) => got.push(x), complete: () => resolve(got), error: reject });
  });

// everything is what a hub and a client may do with one another.
export async function everything(signalR, connection) {
  await connection.start();
  for (const text of ["", "text", "Grüße 😀", "a\nb\r\nc\u001e", "x".repeat(20_000), null]) assert.equal(await connection.invoke("Echo", text), text);
  await assert.rejects(connection.invoke("FailHub", "no"), /HubException: no/);

  const called = new Promise((resolve) => connection.on("message", (...args) => resolve(args)));
  await connection.send("CallMe", "hello");
  assert.deepEqual(await called, ["hello", 1, true, null]);

  assert.deepEqual(await items(connection.stream("Count", 5, 1)), [0, 1, 2, 3, 4]);
  await assert.rejects(items(connection.stream("CountFailHub", 2)), /late/);

  const up = new signalR.Subject();
  const concat = connection.invoke("Concat", up);
  for (const s of ["a", "b", "c".repeat(10_000)]) up.next(s);
  up.complete();
  assert.equal(await concat, "ab" + "c".repeat(10_000));

  const both = new signalR.Subject();
  const shouted = items(connection.stream("Shout", both));
  both.next("one");
  both.next("two");
  both.complete();
  assert.deepEqual(await shouted, ["one!", "two!"]);

  connection.on("Result", async () => "an answer");
  assert.equal(await connection.invoke("AskMe"), "got:an answer");

  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => connection.invoke("Add", i, 1)));
  assert.deepEqual(
    many,
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
}
