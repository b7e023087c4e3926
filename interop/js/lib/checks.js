// What an official client must be able to do, as functions that run in Node and in a browser alike. Each gets
//   client    the library (signalR), a maker of its hub protocol (protocol; without it the client takes JSON) and the name of the transport (transport)
//   json      whether its protocol is JSON
//   url       of the server, with a slash at the end
//   control   cut(): resets all TCP connections (with cable); stop(): SIGTERM, returns the exit code; restart(): again on the same port;
//             running(): waits until the server runs a call (with the flag -admin-addr)
// and may say what it needs: probe (the server interop/probe instead of spoked), args (flags of spoked; it then has a server of its own),
// own (the same without flags), cable (the url leads through a relay whose connections can be cut), needs (what not every client can, or not with each
// transport: clients.mjs), background (it spends its time waiting, so it is begun before the others).
// The names are the lines of docs/compatibility.md, so the other clients' tests have the same, and interop/matrix knows them.
import { benchChecks } from "./bench-checks.js";
import { probeChecks } from "./probe-checks.js";
import { resultChecks } from "./result-checks.js";
import { streamChecks } from "./stream-checks.js";

export const checks = [...benchChecks, ...probeChecks, ...streamChecks, ...resultChecks];
