// What must compile: all of it is how people would use the declarations. Nothing here runs.
import { type HubConnection, HubConnectionBuilder, type IStreamResult, Subject } from "@microsoft/signalr";
import type { ChatConnection, Message, Mood } from "../client/hubs.js";
import type { ChatConnection as RoomConnection } from "../../../cmd/spokegen/testdata/golden/chat.js";
import type { ShapesConnection } from "../../../cmd/spokegen/testdata/golden/shapes.js";

declare const untyped: HubConnection;

const chat: ChatConnection = new HubConnectionBuilder().withUrl("/chat").build();
await chat.start();
chat.onclose((err) => console.log(err?.message, chat.state, chat.connectionId));

const joined: number = await chat.invoke("Join");
const said: Message[] = await chat.invoke("History", joined);
const none: void = await chat.invoke("Say", "hello", "happy");
const sent: Promise<void> = chat.send("Say", "hello", said[0]?.mood ?? "sad");

chat.on("messageReceived", (m) => console.log(m.text.length, m.mood satisfies Mood | undefined));
chat.on("messageReceived", () => {}); // arguments may be left out
chat.on("messageReceived", async (m) => console.log(m)); // and promises may be made
chat.on("askName", (why) => why.toUpperCase());
chat.on("askName", async () => "Ann");
const handler = (m: Message) => console.log(m);
chat.on("messageReceived", handler);
chat.off("messageReceived", handler);
chat.off("messageReceived");

const room: RoomConnection = untyped;
const follow: IStreamResult<{ text: string }> = room.stream("Follow");
room.stream("Count", 3).subscribe({ next: (n) => n.toFixed(), error: (err) => console.log(err), complete: () => {} });
const words = new Subject<string>();
room.stream("Translate", words).subscribe({ next: (s) => s.trim(), error: () => {}, complete: () => {} });
const count: number = await room.invoke("Upload", "red", new Subject<Message & { sent: string }>(), new Subject<number>());
await room.send("typing", "Ann");
room.on("presence", (...users) => users.join());
const level: 0 | 1 = await room.invoke("SetLevel", 1);

const shapes: ShapesConnection = untyped;
shapes.on("anything", (a, b) => [a, b]); // no client interface was given: as signalr has it
await shapes.invoke("Maps", { a: 1 }, {}, { red: true }, {});
await shapes.invoke("Pointers", null, 1, await shapes.invoke("Recursive", [[], [[]]], { a: { b: {} } }, 0), 0);
await shapes.invoke("Literal", { a: 1, B: { C: null } });
const page = await shapes.invoke("Generic", { Items: [] }, { Items: ["a"], Next: null }, { First: 1, Second: ["blue"] });
const name: string | undefined = page.Items[0]?.Items[0]?.Name;

export { none, sent, follow, count, level, name };
