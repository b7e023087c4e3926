// A client of the hub in ../chat.go: node out/chat.js NAME [URL]. It says a line and shows what everybody says, until it is stopped.
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import type { ChatConnection, Message } from "./hubs.js";

const [name = "somebody", url = "http://127.0.0.1:8080/chat"] = process.argv.slice(2);

// The declaration is all that it takes: from here on the compiler knows the hub.
const chat: ChatConnection = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.Warning).build();

function show(m: Message): void {
  console.log(`${m.from}${m.mood === "sad" ? " (sad)" : ""}: ${m.text}`);
}

chat.on("messageReceived", show);
chat.on("askName", () => name);

await chat.start();
const before = await chat.invoke("Join"); // a number
console.log(`${before} messages so far`);
for (const m of await chat.invoke("History", 10)) {
  show(m);
}
await chat.invoke("Say", `hello, this is ${name}`, "happy");
