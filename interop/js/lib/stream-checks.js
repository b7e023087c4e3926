// Checks of streams, down and up, against the probe hubs. checks.js says what a check is.
import { build, fails, patient, same, settled, until } from "./blocks.js";

export const streamChecks = [
  {
    name: "streaming down: items in order, then the end",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      same(await collect(c.stream("Count", 3, 0)), [0, 1, 2], "three items");
      same(await collect(c.stream("Count", 0, 0)), [], "no items");
      same(await collect(c.stream("count", 2, 20)), [0, 1], "items with time between them");
      same(await collect(c.stream("Count", 20_000, 0)), range(20_000), "many items");
      const streams = Array.from({ length: 20 }, () => collect(c.stream("Count", 100, 0)));
      for (const items of await Promise.all(streams)) same(items, range(100), "one of twenty streams");
      await c.stop();
    },
  },
  {
    name: "streaming down: calls go on meanwhile",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const stream = open(c.stream("Count", 1_000_000, 5));
      await patient(stream.first, "the first item");
      same(await c.invoke("Echo", "x"), "x", "Echo");
      same(stream.ended(), false, "the stream has ended");
      stream.cancel();
      await settled(c);
      await c.stop();
    },
  },
  {
    name: "streaming down: the stream's errors",
    probe: true,
    async run({ client, url }) {
      const late = "An error occurred on the server while streaming results.";
      const early = "An unexpected error occurred invoking 'FailBefore' on the server.";
      for (const [hub, detail] of [["probe", ""], ["detailed", " InvalidOperationException: "]]) {
        const c = build(client, url, {}, hub);
        await c.start();
        await failsAfter(c.stream("CountFail", 2), [0, 1], late + (detail && `${detail}late`));
        await failsAfter(c.stream("CountFailHub", 1), [0], `${late} HubException: late`);
        await failsAfter(c.stream("FailBefore"), [], early + (detail && `${detail}early`));
        await failsAfter(c.stream("Missing"), [], "Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist.");
        same(await c.invoke("Echo", "alive"), "alive", "after all that");
        await c.stop();
      }
    },
  },
  {
    name: "streaming down: a call of the wrong kind",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      await fails(c.invoke("Count", 3, 0), /^The client attempted to invoke the streaming 'Count' method with a non-streaming invocation\.$/);
      await failsAfter(c.stream("Echo", "x"), [], "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.");
      await c.stop();
    },
  },
  {
    name: "streaming down: cancelled by the client",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const stream = open(c.stream("Count", 1_000_000, 5));
      await patient(stream.first, "the first item");
      same(await c.invoke("Counting"), 1, "streams under way");
      stream.cancel();
      await until(async () => (await c.invoke("Counting")) === 0, "the producer to end");
      same(await collect(c.stream("Count", 3, 0)), [0, 1, 2], "another stream");
      await settled(c);
      await c.stop();
    },
  },
  {
    name: "streaming up: items, the end, an error",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const { Subject } = client.signalR;
      const none = new Subject();
      const empty = c.invoke("Concat", none);
      none.complete();
      same(await empty, "", "no items");
      const many = new Subject();
      const joined = c.invoke("Concat", many);
      const items = range(client.transport === "WebSockets" ? 1000 : 100); // each a request, where there is no socket
      for (const i of items) many.next(`${i}.`);
      many.complete();
      same(await joined, items.map((i) => `${i}.`).join(""), "many items");
      const failing = new Subject();
      const failed = c.invoke("Concat", failing);
      failing.next("a");
      failing.error(new Error("client says no"));
      same(await failed, "a|HubException:client says no", "a stream that fails");
      const wrong = new Subject();
      const unbound = c.invoke("Concat", wrong);
      wrong.next("a");
      wrong.next({ not: "a string" });
      same(await unbound, "a|HubException:Failed to bind Stream message.", "an item of the wrong type");
      await settled(c);
      await c.stop();
    },
  },
  {
    name: "streaming up: two streams with a plain argument between them",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const [texts, numbers] = [new client.signalR.Subject(), new client.signalR.Subject()];
      const joined = c.invoke("ConcatApart", texts, ">", numbers);
      numbers.next(1);
      texts.next("a");
      texts.next("b");
      numbers.next(2);
      numbers.complete();
      texts.complete();
      same(await joined, "ab>12", "ConcatApart");
      await settled(c);
      await c.stop();
    },
  },
  {
    name: "streaming up: a method that ends first",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const items = new client.signalR.Subject();
      const one = c.invoke("TakeOne", items);
      items.next("a");
      same(await one, "a", "TakeOne");
      for (const i of range(10)) items.next(`late ${i}`);
      items.complete();
      await settled(c, 11);
      await c.stop();
    },
  },
  {
    name: "streaming up: sent without waiting for an answer",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const items = new client.signalR.Subject();
      await c.send("Concat", items);
      items.next("nobody asks for this");
      items.complete();
      await settled(c, 2);
      await c.stop();
    },
  },
  {
    name: "streaming up and down in one call",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const items = new client.signalR.Subject();
      const shouts = open(c.stream("Shout", items));
      for (const [i, item] of ["a", "b", "c"].entries()) {
        items.next(item);
        await until(() => shouts.items.length === i + 1, `the echo of ${item}`);
      }
      items.complete();
      same(await patient(shouts.end, "the end"), ["a!", "b!", "c!"], "Shout");
      await settled(c);
      await c.stop();
    },
  },
];

const range = (n) => Array.from({ length: n }, (_, i) => i);

// open subscribes to a stream of the server: its items so far, its first item, its end (all items, or its error), and cancel.
function open(stream) {
  const items = [];
  let ended = false;
  let subscription;
  let seen;
  const first = new Promise((resolve) => {
    seen = resolve;
  });
  const end = new Promise((resolve, reject) => {
    subscription = stream.subscribe({
      next(item) {
        items.push(item);
        seen(item);
      },
      error(error) {
        ended = true;
        reject(error);
      },
      complete() {
        ended = true;
        resolve(items);
      },
    });
  });
  end.catch(() => {}); // whoever awaits it hears of it
  return { items, first, end, ended: () => ended, cancel: () => subscription.dispose() };
}

const collect = (stream) => patient(open(stream).end, "the stream's end");

// failsAfter wants some items, then a failure with exactly this text.
async function failsAfter(stream, want, text) {
  const { items, end } = open(stream);
  await fails(end, (message) => message === text);
  same(items, want, `items before ${JSON.stringify(text)}`);
}
