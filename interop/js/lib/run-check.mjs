// Runs a check against a server that suits it.
import { Cable, Spoked } from "./spoked.mjs";

// runCheck calls run(url, control) with what the check needs; shared is the server of the checks that need none of their own.
export async function runCheck(check, shared, run) {
  const own = check.own || check.args;
  let server = own ? await Spoked.start(check.args) : shared;
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
