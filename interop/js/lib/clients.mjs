// The official JavaScript clients: the present one, and the oldest that are still met.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

// Packages of a client and of its MessagePack protocol, and what later clients can and this one cannot.
const packages = [
  { name: "@microsoft/signalr", messagePack: "@microsoft/signalr-protocol-msgpack", lacks: [] },
  { name: "signalr-6.0", messagePack: "signalr-protocol-msgpack-6.0", lacks: ["client results", "stateful reconnect"] },
  { name: "signalr-3.1", messagePack: "signalr-protocol-msgpack-3.1", lacks: ["client results", "stateful reconnect", "handshake errors"] },
];

export const protocols = ["JSON", "MessagePack"];

// Transports with the hub protocols that they carry, and what no client can do over them (wire contract, sections 2.3, 5, 17 and 18), or none that runs there: in Node a
// refused handshake is a rejection that nobody has begun to wait for, and a browser has six connections to a server at most. docs/compatibility.md has these reasons.
const transports = [
  { transport: "WebSockets", carries: protocols, lacks: [], inNode: [], inChromium: [] },
  {
    transport: "ServerSentEvents", carries: ["JSON"],
    lacks: ["no negotiation", "stateful reconnect"], inNode: ["handshake errors"], inChromium: ["many connections"],
  },
  {
    transport: "LongPolling", carries: protocols,
    lacks: ["no negotiation", "stateful reconnect", "pings"], inNode: ["handshake errors"], inChromium: ["many connections"],
  },
];
const schemes = ["http", "https"];

// waysIn are those in which a client may talk to a server: with a hub protocol, over a transport, in the clear or not. Their names are parts of the columns of
// docs/compatibility.md. place is "inNode" or "inChromium".
export const waysIn = (place) =>
  schemes.flatMap((scheme) =>
    transports.flatMap(({ carries, lacks, transport, ...t }) =>
      carries.map((protocol) => ({ scheme, transport, protocol, lacks: [...lacks, ...t[place]], name: `${protocol}, ${transport}, ${scheme}` })),
    ),
  );

export const clients = packages.map(({ name, messagePack, lacks }) => ({
  version: require(`${name}/package.json`).version,
  // library is what a check gets as its client.
  library(protocol, transport) {
    const signalR = require(name);
    if (protocol === "JSON") return { signalR, transport };
    const { MessagePackHubProtocol } = require(messagePack);
    return { signalR, transport, protocol: () => new MessagePackHubProtocol() };
  },
  can: (check, way) => !lacks.includes(check.needs) && !way.lacks.includes(check.needs),
}));
