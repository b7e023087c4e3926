// Runs a check against a server that suits it.
import { Cable, Probe, Spoked } from "./servers.mjs";

// Servers are those of the checks that need none of their own.
export class Servers {
  static async start(scheme) {
    const servers = new Servers();
    servers.scheme = scheme;
    const started = await Promise.allSettled([Spoked.start([], 0, scheme), Probe.start([], `${scheme}://127.0.0.1:0`)]);
    [servers.spoked, servers.probe] = started.map((s) => s.value);
    const failed = started.find((s) => s.status === "rejected");
    if (failed) {
      await servers.stop();
      throw failed.reason;
    }
    return servers;
  }
  async stop() {
    await Promise.all([this.spoked?.stop(), this.probe?.stop()]);
  }
}

// runCheck calls run(url, control) with what the check needs.
export async function runCheck(check, shared, run) {
  const own = check.own || check.args;
  let server = own ? await Spoked.start(check.args, 0, shared.scheme) : check.probe ? shared.probe : shared.spoked;
  const { port } = server;
  let cable = null;
  let stopped = false;
  try {
    if (check.cable) cable = await Cable.to(server);
    await run((cable ?? server).url, {
      cut: () => cable.cut(),
      running: () => server.untilCallsRun(1),
      stop: async () => {
        stopped = true;
        return server.stop();
      },
      restart: async () => {
        server = await Spoked.start(check.args, port, shared.scheme);
        stopped = false;
      },
    });
  } finally {
    await cable?.close();
    if (own && !stopped) await server.stop();
  }
}

// Suite runs the checks of one client. It starts nothing before its first check: where a name pattern leaves no test of a suite, Node 20 calls `before`
// and not `after`, and servers that nobody stops keep the process from ending.
export class Suite {
  #checks;
  #start;
  #run;
  #started = null; // a promise
  #runs = new Map(); // of the checks that were begun before their turn, by name

  // start makes ready what the checks share; run(check, shared) runs one.
  constructor(checks, start, run) {
    this.#checks = checks;
    this.#start = start;
    this.#run = run;
  }

  // run runs a check. The first begins those that mostly wait, too.
  async run(check) {
    this.#started ??= this.#begin();
    const shared = await this.#started;
    return this.#runs.get(check.name) ?? this.#run(check, shared);
  }
  async #begin() {
    const shared = await this.#start();
    for (const check of this.#checks.filter((c) => c.background)) {
      const running = this.#run(check, shared);
      running.catch(() => {}); // its own test tells
      this.#runs.set(check.name, running);
    }
    return shared;
  }

  // stop calls stop(shared) if anything has been started, after all that was begun: a run of some checks only would otherwise take the server from clients of
  // others, which try for long to come back to it.
  async stop(stop) {
    const shared = await this.#started?.catch(() => null); // a failure to start has been told by each test
    if (!shared) return;
    await Promise.allSettled(this.#runs.values());
    await stop(shared);
  }
}
