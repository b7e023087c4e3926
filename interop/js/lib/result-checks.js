// Checks of client results, that is, of questions that the server asks a client. checks.js says what a check is.
import { build, fails, patient, same } from "./blocks.js";

export const resultChecks = [
  {
    name: "client results: a value, a promise, null",
    probe: true,
    needs: "client results",
    async run({ client, url }) {
      for (const [answer, want] of [[() => "yes", "got:yes"], [() => Promise.resolve("later"), "got:later"], [() => "", "got:"], [() => null, "got:"], [() => "😀é", "got:😀é"]]) {
        const c = build(client, url, {}, "probe");
        c.on("Result", answer);
        await c.start();
        same(await patient(c.invoke("AskMe"), "the answer"), want, "AskMe");
        await c.stop();
      }
    },
  },
  {
    name: "client results: a failure, an answer of the wrong type, no answer",
    probe: true,
    needs: "client results",
    async run({ client, url }) {
      const c = build(client, url, {}, "probe");
      await c.start();
      const ask = async (handler) => {
        c.off("Result");
        if (handler) c.on("Result", handler);
        return patient(c.invoke("AskMe"), "the answer");
      };
      same(await ask(() => Promise.reject(new Error("no"))), "HubException:Error: no", "a handler that fails");
      same(await ask(null), "HubException:Client didn't provide a result.", "no handler");
      same(await ask(() => undefined), "HubException:Client didn't provide a result.", "a handler without a result");
      same((await ask(() => ({ a: 1 }))).startsWith("HubException:Error trying to deserialize result to String. "), true, "the wrong type");
      same(await ask(() => "yes"), "got:yes", "after all that");
      await c.stop();
    },
  },
  {
    name: "client results: several questions at once",
    probe: true,
    needs: "client results",
    async run({ client, url }) {
      const c = build(client, url, {}, "parallel");
      const open = [];
      let both;
      const asked = new Promise((resolve) => {
        both = resolve;
      });
      c.on("Result", () => new Promise((resolve) => {
        open.push(resolve);
        if (open.length === 2) both();
      }));
      await c.start();
      const answers = [c.invoke("AskMe"), c.invoke("AskMe")];
      await patient(asked, "both questions");
      same(await c.invoke("Echo", "x"), "x", "a call meanwhile");
      open[1]("second");
      open[0]("first");
      same((await patient(Promise.all(answers), "the answers")).sort(), ["got:first", "got:second"], "AskMe");
      const pending = fails(c.invoke("AskMe"), /./); // never answered: it ends with the connection
      await c.stop();
      await pending;
    },
  },
];
