// A small SignalR hub client: negotiate, one WebSocket, JSON records, pings both ways, automatic reconnect. It covers what
// this page needs. Applications use the official @microsoft/signalr.

const RECORD_SEPARATOR = "\u001e";
const HANDSHAKE_TIMEOUT = 15_000; // ms
const PING_EVERY = 15_000;
const SERVER_TIMEOUT = 30_000;
const RETRY_DELAYS = [0, 1_000, 2_000, 5_000, 10_000]; // the last one again and again

const kind = { invocation: 1, completion: 3, ping: 6, close: 7 };
const utf8 = new TextEncoder();

// HubError is the server's answer to a call that failed.
export class HubError extends Error {
  constructor(text) {
    // What follows the exception's name is the part meant for people.
    super(/HubException: (.*)$/s.exec(text)?.[1] ?? text);
    this.name = "HubError";
  }
}

// HubClient sends the events "state" (see the property state) and "connected" (a connection stands, the first or a new one).
// States: connecting, connected, reconnecting, disconnected.
export class HubClient extends EventTarget {
  state = "disconnected";
  connectionId = null;
  connectedAt = null; // performance.now()
  lastClose = null; // text
  reconnects = 0;
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;

  #path;
  #handlers = new Map(); // lower-case method name -> functions
  #calls = new Map(); // invocation id -> {resolve, reject}
  #nextId = 0;
  #socket = null;
  #wanted = false; // the user wants a connection
  #dropped = false; // the user has ended the present socket
  #wake = () => {}; // ends the wait for the next attempt

  constructor(path) {
    super();
    this.#path = path;
  }

  // on calls f with the arguments of each server call of that name; names are the same in any case.
  on(method, f) {
    const name = method.toLowerCase();
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), f]);
  }

  // start connects, and keeps trying until stop.
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    void this.#keepConnected();
  }

  // stop says goodbye and stays away.
  stop() {
    this.#wanted = false;
    this.#wake();
    if (this.state === "connected") this.#write({ type: kind.close });
    this.#socket?.close(1000);
  }

  // drop ends the present socket as a fault would, so that the client reconnects.
  drop() {
    this.#dropped = true;
    this.#socket?.close(4000, "dropped by the user");
  }

  // retryNow ends the wait for the next attempt.
  retryNow() {
    this.#wake();
  }

  // invoke calls a hub method; the promise has its result, or a HubError.
  invoke(method, ...args) {
    if (this.state !== "connected") return Promise.reject(new Error("There is no connection at the moment."));
    const id = String(this.#nextId++);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#write({ type: kind.invocation, invocationId: id, target: method, arguments: args });
    });
  }

  async #keepConnected() {
    let attempt = 0;
    let connectedBefore = false;
    while (this.#wanted) {
      this.#setState(connectedBefore ? "reconnecting" : "connecting");
      let mayReturn = true;
      try {
        const end = await this.#connect(() => {
          attempt = 0;
          if (connectedBefore) this.reconnects++;
          connectedBefore = true;
        });
        this.lastClose = end.text;
        mayReturn = end.mayReturn;
      } catch (error) {
        this.lastClose = error.message;
      }
      this.connectionId = null;
      this.connectedAt = null;
      if (!mayReturn) this.#wanted = false;
      if (!this.#wanted) break;
      this.#setState("reconnecting");
      await this.#wait(RETRY_DELAYS[Math.min(attempt++, RETRY_DELAYS.length - 1)]);
    }
    this.#setState("disconnected");
  }

  #wait(delay) {
    return new Promise((resolve) => {
      // Spread, so that the clients of a restarted server do not all come at once.
      const timer = setTimeout(resolve, delay * (0.5 + Math.random()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // #connect makes one connection; opened is called once it stands. The promise has how it ended; it fails if it never stood.
  async #connect(opened) {
    const { id, token } = await this.#negotiate();
    if (!this.#wanted) throw new Error("Closed by you");
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("id", token);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#dropped = false;

    return new Promise((resolve, reject) => {
      let standing = false;
      let silent = false;
      let goodbye = null; // the server's Close message
      let heard = performance.now();
      const late = setTimeout(() => socket.close(4001, "no handshake response"), HANDSHAKE_TIMEOUT);
      let ping = 0;

      socket.onopen = () => this.#write({ protocol: "json", version: 1 });
      socket.onmessage = (event) => {
        heard = performance.now();
        this.bytesIn += utf8.encode(event.data).length;
        for (const text of event.data.split(RECORD_SEPARATOR).slice(0, -1)) {
          const record = JSON.parse(text);
          if (!standing) {
            if (record.error) {
              goodbye = { error: record.error };
              socket.close(1000);
              return;
            }
            standing = true;
            clearTimeout(late);
            this.#write({ type: kind.ping }); // from the first ping on, the server looks after our silence
            ping = setInterval(() => {
              silent = performance.now() - heard > SERVER_TIMEOUT;
              if (silent) socket.close(4002, "server silent");
              else this.#write({ type: kind.ping });
            }, PING_EVERY);
            this.connectionId = id;
            this.connectedAt = performance.now();
            opened();
            this.#setState("connected");
            this.dispatchEvent(new Event("connected"));
            continue;
          }
          this.messagesIn++;
          if (record.type === kind.close) {
            goodbye = record;
            socket.close(1000);
            return;
          }
          this.#take(record);
        }
      };
      socket.onclose = (event) => {
        clearTimeout(late);
        clearInterval(ping);
        if (this.#socket === socket) this.#socket = null;
        for (const call of this.#calls.values()) call.reject(new Error("The connection ended before the answer came."));
        this.#calls.clear();
        const end = ending(event, { goodbye, silent, dropped: this.#dropped, wanted: this.#wanted });
        if (standing) resolve(end);
        else reject(new Error(end.text));
      };
    });
  }

  async #negotiate() {
    const response = await fetch(`${this.#path}/negotiate?negotiateVersion=1`, {
      method: "POST",
      headers: { "X-Requested-With": "XMLHttpRequest" },
      signal: AbortSignal.timeout(HANDSHAKE_TIMEOUT),
    }).catch(() => {
      throw new Error("The server does not answer.");
    });
    if (!response.ok) throw new Error(`The server answered ${response.status} to negotiate.`);
    const answer = await response.json();
    if (answer.error) throw new Error(answer.error);
    if (!answer.availableTransports.some((t) => t.transport === "WebSockets")) throw new Error("The server offers no WebSockets.");
    return { id: answer.connectionId, token: answer.connectionToken ?? answer.connectionId };
  }

  #take(record) {
    if (record.type === kind.invocation) {
      for (const f of this.#handlers.get(record.target.toLowerCase()) ?? []) f(...record.arguments);
    } else if (record.type === kind.completion) {
      const call = this.#calls.get(record.invocationId);
      this.#calls.delete(record.invocationId);
      if (record.error !== undefined) call?.reject(new HubError(record.error));
      else call?.resolve(record.result);
    }
  }

  #write(record) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const text = JSON.stringify(record) + RECORD_SEPARATOR;
    this.messagesOut++;
    this.bytesOut += utf8.encode(text).length;
    this.#socket.send(text);
  }

  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

// ending puts the end of a connection into words, and says whether the client may come back.
function ending(event, { goodbye, silent, dropped, wanted }) {
  if (!wanted) return { text: "Closed by you", mayReturn: false };
  if (dropped) return { text: "Dropped by you", mayReturn: true };
  if (silent) return { text: "The server was silent for 30 s", mayReturn: true };
  if (goodbye) {
    const mayReturn = goodbye.allowReconnect === true;
    return { text: (goodbye.error ?? "Closed by the server") + (mayReturn ? " (may reconnect)" : ""), mayReturn };
  }
  return { text: `Lost (code ${event.code}${event.reason ? `, ${event.reason}` : ""})`, mayReturn: true };
}
