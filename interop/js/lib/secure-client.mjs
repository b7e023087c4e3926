// A process with one official client, for servers whose certificate only a new process can be told to trust (NODE_EXTRA_CA_CERTS):
//   node secure-client.mjs URL TRANSPORT PROTOCOL
// It ends with 0 when all that it does is answered as it should be.
import assert from "node:assert/strict";
import { clients } from "./clients.mjs";

const [url, transportName, protocol] = process.argv.slice(2);
const { signalR, protocol: make } = clients[0].library(protocol);
const transport = signalR.HttpTransportType[transportName];
assert.ok(transport, `there is no transport ${transportName}`);

function build(options) {
  const builder = new signalR.HubConnectionBuilder().withUrl(`${url}bench`, { transport, ...options }).configureLogging(signalR.LogLevel.None);
  if (make) builder.withHubProtocol(make());
  return builder.build();
}

async function talk(options) {
  const connection = build(options);
  const heard = new Promise((resolve) => connection.on("message", resolve));
  const closed = new Promise((resolve) => connection.onclose(resolve));
  await connection.start();
  for (const x of ["", "Grüße 😀", "x".repeat(20_000), 0, null, { a: [1, "two"] }]) assert.deepEqual(await connection.invoke("Echo", x), x);
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => connection.invoke("Echo", i)));
  assert.deepEqual(
    many,
    Array.from({ length: 100 }, (_, i) => i),
  );
  const text = `to all by ${transportName} and ${protocol}`;
  await connection.send("Broadcast", text);
  assert.equal(await heard, text);
  await assert.rejects(connection.invoke("Nowhere"), /Method does not exist/);
  await connection.stop();
  assert.equal(await closed, undefined);
}

await talk({});
if (transportName === "WebSockets") await talk({ skipNegotiation: true });
process.exit(0); // else the client's keep-alive connections keep it
