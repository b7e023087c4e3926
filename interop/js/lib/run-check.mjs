// Runs a check against a server that suits it.
import { Cable, Probe, Spoked } from "./servers.mjs";

// Servers are those of the checks that need none of their own.
export class Servers {
  static async start() {
    const servers = new Servers();
    const started = await Promise.allSettled([Spoked.start(), Probe.start()]);
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
  let server = own ? await Spoked.start(check.args) : check.probe ? shared.probe : shared.spoked;
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
        server = await Spoked.start(check.args, port);
        stopped = false;
      },
    });
  } finally {
    await cable?.close();
    if (own && !stopped) await server.stop();
  }
}

// Begun holds the checks that were begun before their turn, by name.
export class Begun {
  #runs = new Map();

  // begin starts those of the checks that mostly wait; run(check) runs one.
  begin(checks, run) {
    for (const check of checks.filter((c) => c.background)) {
      const running = run(check);
      running.catch(() => {}); // its own test tells
      this.#runs.set(check.name, running);
    }
  }
  of(check) {
    return this.#runs.get(check.name);
  }
}
