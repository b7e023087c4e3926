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

export const clients = packages.map(({ name, messagePack, lacks }) => ({
  version: require(`${name}/package.json`).version,
  // library is what a check gets as its client.
  library(protocol) {
    const signalR = require(name);
    if (protocol === "JSON") return { signalR };
    const { MessagePackHubProtocol } = require(messagePack);
    return { signalR, protocol: () => new MessagePackHubProtocol() };
  },
  can: (check) => !lacks.includes(check.needs),
}));
