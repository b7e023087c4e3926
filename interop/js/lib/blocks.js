// What checks are built of: connections, inboxes, patience and comparisons. It runs in Node and in a browser alike.

// PATIENCE is how long a check waits for what must come. It is no measure of speed: the machine may be busy with other work.
export const PATIENCE = 30_000; // ms

// builder begins a connection of the client to a hub ("probe", or "bench?user=ann") of the server at url.
export function builder({ signalR, protocol, transport }, url, options = {}, hub = "bench") {
  const b = new signalR.HubConnectionBuilder().withUrl(url + hub, { transport: signalR.HttpTransportType[transport], ...options }).configureLogging(signalR.LogLevel.None);
  return protocol ? b.withHubProtocol(protocol()) : b;
}
export function build(client, url, options, hub) {
  return builder(client, url, options, hub).build();
}
export function reconnecting(client, url, options, hub) {
  return builder(client, url, options, hub).withAutomaticReconnect(Array.from({ length: 100 }, (_, i) => Math.min(i * 20, 200))).build();
}

// listen keeps what comes for a method; next waits for n arguments, rest is what nobody asked for.
export function listen(connection, method = "message") {
  const got = [];
  let wake = () => {};
  connection.on(method, (x) => {
    got.push(x);
    wake();
  });
  return {
    async next(n) {
      await patient(
        new Promise((resolve) => {
          wake = () => got.length >= n && resolve();
          wake();
        }),
        () => `${n} calls of ${method}; ${got.length} came`,
      );
      return got.splice(0, n);
    },
    rest: () => got,
  };
}

export function watchEnds(connection) {
  const ends = { reconnects: 0 };
  ends.closed = new Promise((resolve) => connection.onclose(resolve));
  ends.reconnecting = new Promise((resolve) => {
    connection.onreconnecting?.((error) => {
      ends.reconnects++;
      resolve(error);
    });
  });
  ends.reconnected = new Promise((resolve) => connection.onreconnected?.(resolve));
  return ends;
}

export function patient(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms in vain for ${typeof what === "function" ? what() : what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// until waits for a condition, which may be asked for by a promise.
export async function until(condition, what) {
  const limit = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error(`waited ${PATIENCE} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// settled waits until the client has sent what it still has to say of n items of streams. A client without a socket sends one after the other, each in a request of its own,
// and a call that is made meanwhile overtakes them; what a stop cuts off it rejects with nobody listening, which ends a Node process.
export async function settled(connection, n = 1) {
  for (let i = 0; i < 2 * n + 2; i++) same(await patient(connection.invoke("Echo", `${i}`), "an answer"), `${i}`, "Echo");
}

// cutOff resets TCP connections until the client has noticed, which a promise tells: a poll that was cut off a browser makes a second time by itself.
export async function cutOff(control, noticed, what) {
  let seen = false;
  noticed.then(() => {
    seen = true;
  });
  await until(async () => {
    if (!seen) await control.cut();
    return seen;
  }, what);
}

// same compares by value; the order of keys does not matter to it.
export function same(actual, expected, what) {
  const [a, e] = [canonical(actual), canonical(expected)];
  if (a !== e) throw new Error(`${what}: got ${a.slice(0, 300)}, want ${e.slice(0, 300)}`);
}
function canonical(x) {
  const sorted = (_, v) => (v && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v);
  return String(JSON.stringify(x, sorted));
}

// fails waits for a promise to fail with a message that fits a pattern or a test.
export async function fails(promise, pattern) {
  let result;
  try {
    result = await patient(promise, "a failure");
  } catch (error) {
    const fits = typeof pattern === "function" ? pattern(error.message) : pattern.test(error.message);
    if (fits) return;
    throw new Error(`failed with ${JSON.stringify(error.message)}, want ${pattern}`);
  }
  throw new Error(`did not fail, but returned ${canonical(result)}; want ${pattern}`);
}
