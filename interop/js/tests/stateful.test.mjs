// Stateful reconnect with the official client: its socket breaks again and again, and nothing is lost, doubled or out of order.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clients, protocols } from "../lib/clients.mjs";
import { FrailCable } from "../lib/frail.mjs";
import { Spoked, within } from "../lib/servers.mjs";

const CUTS = 200;
const AT_A_TIME = 20; // calls

const build = ({ signalR, protocol }, url) => {
  const builder = new signalR.HubConnectionBuilder().withUrl(url).withStatefulReconnect().configureLogging(signalR.LogLevel.None);
  if (protocol) builder.withHubProtocol(protocol());
  return builder.build();
};

for (const protocol of protocols) {
  describe(`stateful reconnect, ${protocol}`, () => {
    test(`${CUTS} cuts lose nothing`, { timeout: 180_000 }, async () => {
      const server = await Spoked.start(["-stateful-reconnect", "-admin-addr", "127.0.0.1:0"]);
      const cable = await FrailCable.to(server);
      const client = build(clients[0].library(protocol), `${cable.url}bench`);
      const messages = [];
      const results = [];
      let made = 0;
      let failed = null;
      client.on("message", (x) => {
        messages.push(x);
      });
      client.onclose((error) => (failed = error ?? new Error("the connection was closed")));
      await client.start();
      const id = client.connectionId;
      cable.frail = true;
      cable.cut();
      const caller = async () => {
        while (cable.cuts < CUTS && !failed) {
          const n = made++;
          const [result] = await Promise.all([client.invoke("EchoByWorker", n), client.send("Broadcast", n)]);
          results.push([n, result]);
        }
      };
      await within(Promise.all(Array.from({ length: AT_A_TIME }, caller)), 150_000, `${CUTS} cuts`);
      cable.frail = false;
      await client.invoke("EchoByWorker", "all before has come");
      assert.equal(failed, null, "the connection was over");
      assert.equal(client.connectionId, id, "the connection's id");
      const expected = Array.from({ length: made }, (_, i) => i);
      assert.deepEqual(results.map(([n]) => n).sort((a, b) => a - b), expected, "calls that were answered");
      assert.ok(results.every(([n, result]) => n === result), "an answer was that of another call");
      assert.deepEqual(messages, expected, "messages");
      const { Hubs } = (await server.metrics()).Server;
      assert.ok(Hubs.Resumed >= CUTS, `${Hubs.Resumed} times the client has come back`);
      assert.equal(Hubs.Connections, 1, "connections");
      client.off("message");
      failed = null;
      await client.stop();
      assert.equal(failed?.message, "the connection was closed");
      await cable.close();
      await server.stop();
    });

    test("a client that stays away is gone", { timeout: 60_000 }, async () => {
      const server = await Spoked.start(["-stateful-reconnect", "-disconnect-timeout", "1s", "-admin-addr", "127.0.0.1:0"]);
      const cable = await FrailCable.to(server);
      const client = build(clients[0].library(protocol), `${cable.url}bench`);
      const closed = new Promise((resolve) => client.onclose(resolve));
      await client.start();
      await cable.close(); // it tries once to come back, in vain
      assert.ok((await within(closed, 20_000, "the end")) instanceof Error);
      await within(
        (async () => {
          while ((await server.metrics()).Server.Hubs.Connections > 0);
        })(),
        20_000,
        "the server to give it up",
      );
      assert.equal((await server.metrics()).Server.Hubs.StatefulExpired, 1);
      await server.stop();
    });

    test("a server that does not offer it serves the client as any other", async () => {
      const server = await Spoked.start();
      const client = build(clients[0].library(protocol), `${server.url}bench`);
      await client.start();
      assert.equal(await client.invoke("Echo", 1), 1);
      await client.stop();
      await server.stop();
    });
  });
}
