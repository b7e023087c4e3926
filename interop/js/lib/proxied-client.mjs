// One official client on one transport, in a process of its own: Node reads NODE_EXTRA_CA_CERTS when it starts. Does everything with the hub /probe of the server at the given URL, asks
// the hub /where whence it seems to come while it lies about that, and prints the answer.
//
//   node lib/proxied-client.mjs URL TRANSPORT PROTOCOL
import { clients } from "./clients.mjs";
import { everything } from "./everything.mjs";

const [url, transport, protocol] = process.argv.slice(2);
const library = clients[0].library(protocol);
const { signalR } = library;

function build(hub, options = {}) {
  const builder = new signalR.HubConnectionBuilder()
    .withUrl(url + hub, { ...options, transport: signalR.HttpTransportType[transport] })
    .configureLogging(signalR.LogLevel.None);
  if (library.protocol) builder.withHubProtocol(library.protocol());
  return builder.build();
}

const probe = build("probe");
await everything(signalR, probe);
await probe.stop();

const headers = { "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example", Forwarded: "for=203.0.113.9;host=evil.example" };
const where = build("where", { headers });
await where.start();
process.stdout.write(`${JSON.stringify(await where.invoke("Where"))}\n`);
await where.stop();
process.exit(0); // the client's library for event streams may keep a process alive
