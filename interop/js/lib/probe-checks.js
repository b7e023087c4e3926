// Checks against the probe hubs: typed values, error texts, events of a connection, timeouts. checks.js says what a check is.
import { build, builder, fails, listen, patient, reconnecting, same, watchEnds } from "./blocks.js";

export const probeChecks = [
  {
    name: "typed values: text, numbers, nothing, null",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      for (const text of ["", "text", "Grüße 😀", null]) same(await c.invoke("Echo", text), text, "Echo");
      same(await c.invoke("Add", 1, 2), 3, "Add");
      same(await c.invoke("Add", -2147483648, 2147483647), -1, "Add at the ends of 32 bits");
      same(await c.invoke("Nothing"), null, "a method without a result");
      same(await c.invoke("Null"), null, "a method that returns null");
      same(await c.invoke("renamed"), "renamed", "a method with a name of its own");
      for (const x of [true, false, 0, -1, 127, 128, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53, 0.5, -1e-7]) {
        same(await c.invoke("EchoAny", x), x, "EchoAny");
      }
      await fails(c.invoke("Add", "1", 2), /^Failed to invoke 'Add' due to an error on the server\.$/);
      await fails(c.invoke("Add", 2 ** 31, 0), /^Failed to invoke 'Add' due to an error on the server\.$/);
      await c.stop();
    },
  },
  {
    name: "typed values: an object with a date, bytes, an id and an enum",
    probe: true,
    async run({ client, json, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const value = await c.invoke("ComplexValue");
      const id = "00010203-0405-0607-0706-050403020100";
      if (json) {
        same(value, { name: 'n<&>é"', value: 42, when: "2002-04-01T10:20:15Z", bytes: "AQID", id, color: 1 }, "ComplexValue");
        same(await c.invoke("EchoComplex", value), value, "EchoComplex");
        same((await c.invoke("EchoComplex", { NAME: "y", value: 8, unknown: [1, 2] })).name, "y", "names in another case, an unknown one");
      } else {
        const plain = (v) => ({ ...v, Bytes: Array.from(v.Bytes), When: v.When.getTime() });
        const want = { Name: 'n<&>é"', Value: 42, When: Date.UTC(2002, 3, 1, 10, 20, 15), Bytes: [1, 2, 3], Id: id, Color: "Green" };
        same(plain(value), want, "ComplexValue");
        same(plain(await c.invoke("EchoComplex", value)), want, "EchoComplex");
      }
      same(await c.invoke("EchoComplex", null), null, "EchoComplex of null");
      await c.stop();
    },
  },
  {
    name: "1 MiB of text from the server in one message",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const text = await c.invoke("Text", 1 << 20);
      same(text.length, 1 << 20, "length");
      same(text === "a".repeat(1 << 20), true, "the text itself");
      await c.stop();
    },
  },
  {
    name: "error texts with detailed errors off",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      await fails(c.invoke("Fail", "secret"), /^An unexpected error occurred invoking 'Fail' on the server\.$/);
      await fails(c.invoke("FAILHUB", "open"), /^An unexpected error occurred invoking 'FailHub' on the server\. HubException: open$/);
      await fails(c.invoke("FailMyHub", "mine"), /^An unexpected error occurred invoking 'FailMyHub' on the server\. MyHubException: mine$/);
      await fails(c.invoke("Missing"), /^Failed to invoke 'Missing' due to an error on the server\. HubException: Method does not exist\.$/);
      await fails(c.invoke("Echo"), /^Failed to invoke 'Echo' due to an error on the server\.$/);
      await fails(c.invoke("Secret"), /^Failed to invoke 'Secret' because user is unauthorized$/);
      same(await c.invoke("Echo", "alive"), "alive", "after all that");
      await c.stop();
    },
  },
  {
    name: "error texts with detailed errors on",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "detailed");
      await c.start();
      await fails(c.invoke("Fail", "shown"), /^An unexpected error occurred invoking 'Fail' on the server\. InvalidOperationException: shown$/);
      await fails(
        c.invoke("Echo"),
        /^Failed to invoke 'Echo' due to an error on the server\. InvalidDataException: Invocation provides 0 argument\(s\) but target expects 1\.$/,
      );
      await c.stop();
    },
  },
  {
    name: "a hub that does not speak the client's protocol refuses the handshake",
    probe: true,
    needs: "handshake errors",
    async run({ client, json, url }) {
      const c = build(client, url, {}, json ? "messagepackonly" : "jsononly");
      await fails(c.start(), (message) => message.includes(`The protocol '${json ? "json" : "messagepack"}' is not supported.`));
      same(c.state, "Disconnected", "state");
    },
  },
  {
    name: "the connected event calls the client before its first answer",
    probe: true,
    async run({ client, url }) {
      const c = build(client, url, {}, "welcome");
      const inbox = listen(c);
      await c.start();
      same(await c.invoke("Echo", "x"), "x", "Echo");
      same(inbox.rest(), ["welcome", "ready"], "what came before the answer");
      await c.stop();
    },
  },
  {
    name: "a connected event that fails ends the connection for good",
    probe: true,
    async run({ client, url }) {
      const generic = "Server returned an error on close: Connection closed with an error.";
      for (const [hub, text] of [["failconnect", generic], ["failconnect-detailed", `${generic} InvalidOperationException: no entry`]]) {
        // The Close comes right behind the handshake. A client that is just about to ping then tells of the failed ping instead, so several may be needed.
        for (let tries = 1; ; tries++) {
          const c = reconnecting(client, url, {}, hub);
          const ends = watchEnds(c);
          const error = await patient(c.start().then(() => ends.closed, (e) => e), "the end");
          same([c.state, ends.reconnects], ["Disconnected", 0], "state, and attempts to reconnect");
          if (error.message === text) break;
          if (tries === 20) throw new Error(`ended with ${JSON.stringify(error.message)}, want ${JSON.stringify(text)}`);
        }
      }
    },
  },
  {
    name: "calls of one client run one after the other, or side by side where the hub allows it",
    probe: true,
    async run({ client, url }) {
      for (const [hub, first] of [["probe", "slow"], ["parallel", "quick"]]) {
        const c = build(client, url, {}, hub);
        await c.start();
        const done = [];
        const slow = c.invoke("Sleep", first === "slow" ? 50 : 1500).then(() => done.push("slow"));
        const quick = c.invoke("Echo", "x").then(() => done.push("quick"));
        await patient(Promise.all([slow, quick]), "both calls");
        same(done[0], first, `what ends first on ${hub}`);
        await c.stop();
      }
    },
  },
  {
    name: "an idle connection is kept: by pings of both sides, or by its poll",
    probe: true,
    background: true,
    async run({ client, url }) {
      // The server pings each second and the client does, too; after 5 s of silence each would give the other up. Where the client polls, nobody pings and
      // nobody gives up.
      const c = build(client, url, {}, "idle");
      const ends = watchEnds(c);
      c.serverTimeoutInMilliseconds = 5000;
      c.keepAliveIntervalInMilliseconds = 1000;
      await c.start();
      const idle = new Promise((resolve) => setTimeout(resolve, 7000, "still there"));
      same(await Promise.race([idle, ends.closed.then((error) => `closed: ${error}`)]), "still there", "after 7 s");
      same(await c.invoke("Echo", "x"), "x", "Echo");
      await c.stop();
    },
  },
  {
    name: "a server that falls silent is given up",
    probe: true,
    background: true,
    needs: "pings",
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      const ends = watchEnds(c);
      c.serverTimeoutInMilliseconds = 5000; // long enough for start: a timeout within its last step, a ping, is lost on the client
      await c.start();
      await fails(ends.closed.then((error) => Promise.reject(error)), /^Server timeout elapsed without receiving a message from the server\.$/);
      same(c.state, "Disconnected", "state");
    },
  },
  {
    name: "a client that falls silent is closed with leave to reconnect",
    probe: true,
    needs: "pings",
    background: true,
    async run({ client, url }) {
      const c = reconnecting(client, url, {}, "clienttimeout");
      const ends = watchEnds(c);
      c.keepAliveIntervalInMilliseconds = 50; // the server's clock starts with the client's first ping
      await c.start();
      same(await c.invoke("Echo", "x"), "x", "Echo"); // what comes from the server has the next ping due
      c.keepAliveIntervalInMilliseconds = 3_600_000;
      await fails(ends.reconnecting.then((error) => Promise.reject(error)), /Connection closed with an error\.$/);
      await patient(ends.reconnected, "the client to be back");
      await c.stop();
    },
  },
  {
    name: "stateful reconnect: a cut loses nothing, and no one notices",
    probe: true,
    cable: true,
    needs: "stateful reconnect",
    async run({ client, url, control }) {
      const c = builder(client, url, {}, "probe").withStatefulReconnect().withAutomaticReconnect().build();
      const ends = watchEnds(c);
      const inbox = listen(c);
      await c.start();
      const before = c.connectionId;
      for (let round = 0; round < 5; round++) {
        const calls = Array.from({ length: 50 }, (_, i) => c.invoke("Echo", `${round}.${i}`));
        const called = c.invoke("CallMany", 50);
        await control.cut();
        same(await patient(Promise.all(calls), "the answers"), Array.from({ length: 50 }, (_, i) => `${round}.${i}`), "the answers");
        await patient(called, "the end of CallMany");
        same(await inbox.next(50), Array.from({ length: 50 }, (_, i) => i + 1), "the server's calls");
        await patient(c.invoke("Echo", "back"), "the connection to be back"); // the client tries once to come back: the next cut must not meet it on its way
      }
      same([c.connectionId, ends.reconnects], [before, 0], "connection id, and reconnects of the other kind");
      await c.stop();
    },
  },
];
