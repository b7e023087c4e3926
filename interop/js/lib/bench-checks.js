// Checks against spoked and its hub /bench: connections, calls, groups, users and ends. checks.js says what a check is.
import { build, cutOff, fails, listen, patient, reconnecting, same, watchEnds } from "./blocks.js";

export const benchChecks = [
  {
    name: "connects with negotiate",
    async run({ client, url }) {
      const c = build(client, url);
      await c.start();
      same(c.state, "Connected", "state");
      same(/^[A-Za-z0-9_-]{22}$/.test(c.connectionId), true, `form of the connection id ${c.connectionId}`);
      same(await c.invoke("Echo", "x"), "x", "Echo");
      await c.stop();
    },
  },
  {
    name: "connects without negotiate",
    needs: "no negotiation",
    async run({ client, url }) {
      const c = build(client, url, { skipNegotiation: true });
      await c.start();
      same(c.connectionId ?? null, null, "connection id, which the client cannot know");
      same(await c.invoke("Echo", "x"), "x", "Echo");
      await c.stop();
    },
  },
  {
    name: "invoke returns what the method returned",
    async run({ client, url }) {
      const c = build(client, url);
      await c.start();
      for (const x of ["", "text", 0, -1.5, 1e300, true, false, null, [], [1, "two", null], {}, { a: { b: [1, { c: "d" }] } }]) {
        same(await c.invoke("Echo", x), x, "Echo");
      }
      same(await c.invoke("echo", 1), 1, "a method's name in another case");
      same(await c.invoke("Sleep", 1), null, "result of a method without one");
      const many = await Promise.all(Array.from({ length: 500 }, (_, i) => c.invoke("Echo", i)));
      same(many, Array.from({ length: 500 }, (_, i) => i), "500 calls at once");
      await c.stop();
    },
  },
  {
    name: "send needs no answer, and keeps the order",
    own: true,
    async run({ client, url }) {
      const c = build(client, url);
      const inbox = listen(c);
      await c.start();
      for (let i = 0; i < 100; i++) await c.send("Broadcast", i);
      same(await inbox.next(100), Array.from({ length: 100 }, (_, i) => i), "what came back");
      await c.stop();
    },
  },
  {
    name: "the server calls every handler until it is taken off",
    own: true,
    async run({ client, url }) {
      const [c, other] = [build(client, url), build(client, url)];
      const seen = [];
      const lower = listen(c, "message");
      const upper = listen(other, "MESSAGE"); // this client ignores case
      const taken = (x) => seen.push(x);
      c.on("message", taken);
      await Promise.all([c.start(), other.start()]);
      await c.invoke("Broadcast", { n: 1 });
      same(await lower.next(1), [{ n: 1 }], "at the sender");
      same(await upper.next(1), [{ n: 1 }], "at the other client");
      c.off("message", taken);
      await c.invoke("Broadcast", 2);
      same(await lower.next(1), [2], "at the handler that is left");
      same(seen, [{ n: 1 }], "at the handler that was taken off");
      await Promise.all([c.stop(), other.stop()]);
    },
  },
  {
    name: "groups",
    async run({ client, url }) {
      const members = [build(client, url), build(client, url), build(client, url)];
      const inboxes = members.map((c) => listen(c));
      await Promise.all(members.map((c) => c.start()));
      const [a, b, outside] = members;
      await a.invoke("Join", "blue");
      await b.invoke("Join", "blue");
      await b.invoke("Join", "blue"); // twice is once
      await outside.invoke("Join", "Blue"); // names of groups are exact
      await outside.invoke("Publish", "blue", 1); // from outside
      same(await inboxes[0].next(1), [1], "at a");
      same(await inboxes[1].next(1), [1], "at b");
      await a.invoke("Leave", "blue");
      await b.invoke("Publish", "blue", 2);
      same(await inboxes[1].next(1), [2], "at b, after a left");
      await a.invoke("Echo", "so that all before has come"); // sends of one loop arrive before later answers
      await outside.invoke("Echo", "likewise");
      same([inboxes[0].rest(), inboxes[1].rest(), inboxes[2].rest()], [[], [], []], "what else came");
      await Promise.all(members.map((c) => c.stop()));
    },
  },
  {
    name: "users",
    args: ["-dev-users"],
    async run({ client, url }) {
      const ann = build(client, url, {}, "bench?user=ann");
      const annToo = build(client, url, { accessTokenFactory: () => "ann" });
      const bob = build(client, url, { accessTokenFactory: () => Promise.resolve("bob") });
      const nobody = build(client, url);
      const all = [ann, annToo, bob, nobody];
      const inboxes = all.map((c) => listen(c));
      await Promise.all(all.map((c) => c.start()));
      same(await Promise.all(all.map((c) => c.invoke("WhoAmI"))), ["ann", "ann", "bob", ""], "who they are");
      await nobody.invoke("Tell", "ann", "hello");
      same(await inboxes[0].next(1), ["hello"], "at the first of ann's connections");
      same(await inboxes[1].next(1), ["hello"], "at the second");
      await bob.invoke("Tell", "Ann", "user ids are exact");
      await bob.invoke("Tell", "bob", "me");
      same(await inboxes[2].next(1), ["me"], "at bob's");
      await Promise.all([ann.invoke("Echo", 0), nobody.invoke("Echo", 0)]);
      same(inboxes.map((i) => i.rest()), [[], [], [], []], "what else came");
      await Promise.all(all.map((c) => c.stop()));
    },
  },
  {
    name: "a refused user gets an error from start",
    args: ["-dev-users"],
    async run({ client, url }) {
      const c = build(client, url, {}, `bench?user=${"x".repeat(100)}`);
      await fails(c.start(), /401|Unauthorized/i);
      same(c.state, "Disconnected", "state");
    },
  },
  {
    name: "errors: the hub's own text, the generic text, an unknown method, wrong arguments",
    async run({ client, url }) {
      const c = build(client, url);
      await c.start();
      await fails(c.invoke("Fail", "too high"), /^An unexpected error occurred invoking 'Fail' on the server\. HubException: too high$/);
      await fails(c.invoke("fail", "Käse"), /^An unexpected error occurred invoking 'Fail' on the server\. HubException: Käse$/);
      await fails(c.invoke("Panic"), /^An unexpected error occurred invoking 'Panic' on the server\.$/);
      await fails(c.invoke("Nowhere"), /^Failed to invoke 'Nowhere' due to an error on the server\. HubException: Method does not exist\.$/);
      await fails(c.invoke("Sleep", "long"), /^Failed to invoke 'Sleep' due to an error on the server\.$/);
      await fails(c.invoke("Echo", 1, 2), /^Failed to invoke 'Echo' due to an error on the server\.$/);
      await c.send("Fail", "nobody hears this");
      same(await c.invoke("Echo", "alive"), "alive", "after all that");
      await c.stop();
    },
  },
  {
    name: "closed by the server for good: no reconnect",
    async run({ client, url }) {
      const c = reconnecting(client, url);
      const ends = watchEnds(c);
      await c.start();
      await c.send("Abort");
      await ends.closed;
      same(c.state, "Disconnected", "state");
      same(ends.reconnects, 0, "attempts to reconnect");
    },
  },
  {
    name: "a message over the cap closes the connection, with leave to reconnect",
    async run({ client, url }) {
      const c = reconnecting(client, url);
      const ends = watchEnds(c);
      await c.start();
      const before = c.connectionId;
      await fails(c.invoke("Echo", "x".repeat(33_000)), /./);
      await ends.reconnected;
      same(c.connectionId !== before, true, "the connection id is another one");
      same(await c.invoke("Echo", "back"), "back", "Echo");
      await c.stop();
    },
  },
  {
    name: "a drain lets running calls finish, then closes with leave to reconnect",
    args: ["-drain", "300ms", "-admin-addr", "127.0.0.1:0"],
    async run({ client, url, control }) {
      const c = reconnecting(client, url);
      const plain = build(client, url);
      const ends = watchEnds(c);
      const plainEnds = watchEnds(plain);
      await Promise.all([c.start(), plain.start()]);
      const call = c.invoke("Sleep", 2000);
      await control.running();
      const exit = control.stop();
      same(await patient(call, "the running call"), null, "the running call");
      await patient(ends.reconnecting, "the client to reconnect");
      await patient(plainEnds.closed, "the client that does not reconnect to close");
      same(await exit, 0, "exit code");
      await control.restart();
      await patient(ends.reconnected, "the client to be back");
      same(await c.invoke("Echo", "back"), "back", "Echo");
      await c.stop();
    },
  },
  {
    name: "reconnects when TCP is cut",
    cable: true,
    async run({ client, url, control }) {
      const c = reconnecting(client, url);
      const inbox = listen(c);
      const ends = watchEnds(c);
      await c.start();
      const before = c.connectionId;
      await cutOff(control, ends.reconnecting, "the client to notice");
      await patient(ends.reconnected, "the client to be back");
      same(c.state, "Connected", "state");
      same(c.connectionId !== before, true, "the connection id is another one");
      await c.invoke("Join", "again");
      await c.invoke("Publish", "again", "x");
      same(await inbox.next(1), ["x"], "the handlers are still there");
      await c.stop();
    },
  },
  {
    name: "without automatic reconnect, a cut ends the connection; start begins anew",
    cable: true,
    async run({ client, url, control }) {
      const c = build(client, url);
      const ends = watchEnds(c);
      await c.start();
      const pending = fails(c.invoke("Sleep", 60_000), /./);
      await cutOff(control, ends.closed, "the end");
      await pending;
      same(c.state, "Disconnected", "state");
      // The first try may go out on a cut connection that the platform still keeps for reuse.
      await c.start().catch(() => c.start());
      same(await c.invoke("Echo", "again"), "again", "Echo");
      await c.stop();
    },
  },
  {
    name: "1 MiB of text in one message, in 64 KiB pieces and in 1 KiB pieces",
    args: ["-max-message", "2000000"],
    async run({ client, url }) {
      const c = build(client, url);
      await c.start();
      const text = "0123456789abcdef".repeat(65_536);
      for (const size of [1 << 20, 1 << 16, 1 << 10]) {
        const pieces = [];
        for (let i = 0; i < text.length; i += size) pieces.push(text.slice(i, i + size));
        const back = (await Promise.all(pieces.map((p) => c.invoke("Echo", p)))).join("");
        same(back.length, text.length, `length, in pieces of ${size}`);
        same(back === text, true, `the same text, in pieces of ${size}`);
      }
      await c.stop();
    },
  },
  {
    name: "text beyond ASCII",
    async run({ client, url }) {
      const c = build(client, url);
      const inbox = listen(c);
      await c.start();
      const texts = [
        "Grüße, naïve façade", "Ελληνικά", "Привет", "你好，世界", "こんにちは", "한국어", "שלום", "مرحبا", "नमस्ते", "😀👩‍👩‍👧‍👦🏳️‍🌈",
        "\u0000\u0001\u001e\u001f\u007f\u0080", "\u2028\u2029\ufeff", "\ud83d\ude00", "\uffff\ufffd", "\\\"/\b\f\n\r\t", "<script>&amp;'",
      ];
      for (const text of texts) {
        same(await c.invoke("Echo", text), text, "Echo");
        await c.invoke("Join", text);
        await c.invoke("Publish", text, text);
        same(await inbox.next(1), [text], "to a group of that name");
        await fails(c.invoke("Fail", text), (message) => message.endsWith(`HubException: ${text}`));
      }
      same(await c.invoke("Echo", texts), texts, "all at once");
      same(await c.invoke("Echo", { "ключ 🔑": "значение" }), { "ключ 🔑": "значение" }, "as a key");
      await c.stop();
    },
  },
  {
    name: "200 clients at once",
    own: true,
    needs: "many connections",
    async run({ client, url }) {
      const clients = Array.from({ length: 200 }, () => build(client, url));
      const inboxes = clients.map((c) => listen(c));
      await Promise.all(clients.map((c) => c.start()));
      same(new Set(clients.map((c) => c.connectionId)).size, 200, "different connection ids");
      await Promise.all(clients.map((c, i) => c.invoke("Join", `group ${i % 10}`)));
      await clients[0].invoke("Broadcast", "all");
      for (const inbox of inboxes) same(await inbox.next(1), ["all"], "the broadcast");
      await Promise.all(clients.slice(0, 10).map((c, i) => c.invoke("Publish", `group ${i}`, i)));
      for (const [i, inbox] of inboxes.entries()) same(await inbox.next(1), [i % 10], "the group's message");
      await Promise.all(clients.map((c) => c.stop()));
    },
  },
  {
    name: "stop ends the connection without an error, and start begins anew",
    async run({ client, url }) {
      const c = reconnecting(client, url);
      const ends = watchEnds(c);
      await c.start();
      const first = c.connectionId;
      const pending = fails(c.invoke("Sleep", 60_000), /./);
      await c.stop();
      await pending;
      same(String(await ends.closed), "undefined", "error of onclose");
      same(ends.reconnects, 0, "attempts to reconnect");
      same(c.state, "Disconnected", "state");
      await fails(c.invoke("Echo", 1), /./);
      await c.start();
      same(c.connectionId !== first, true, "the connection id is another one");
      same(await c.invoke("Echo", 2), 2, "Echo");
      await c.stop();
    },
  },
];
