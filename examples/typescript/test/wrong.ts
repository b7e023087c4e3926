// What must not compile: each line that ends with a code must fail with this error, and no other line may fail.
import { type HubConnection, Subject } from "@microsoft/signalr";
import type { ChatConnection, Message } from "../client/hubs.js";
import type { ChatConnection as RoomConnection } from "../../../cmd/spokegen/testdata/golden/chat.js";
import type { ShapesConnection } from "../../../cmd/spokegen/testdata/golden/shapes.js";

declare const untyped: HubConnection;
const chat: ChatConnection = untyped;

await chat.invoke("Say", 5, "happy"); // TS2345
await chat.invoke("Say", "hello", "angry"); // TS2345
await chat.invoke("Say", "hello"); // TS2554
await chat.invoke("Say", "hello", "sad", 1); // TS2554
await chat.invoke("Sya", "hello", "sad"); // TS2345
await chat.send("History", "10"); // TS2345
await chat.send("OnConnected"); // TS2345
const text: string = await chat.invoke("Join"); // TS2322
console.log((await chat.invoke("History", 1))[0]?.form); // TS2339
chat.on("messageRecieved", () => {}); // TS2345
chat.on("messageReceived", (m: string) => console.log(m)); // TS2345
chat.on("messageReceived", (m: Message, more: string) => console.log(m, more)); // TS2345
chat.on("askName", () => 5); // TS2322
chat.on("askName", () => {}); // TS2345
chat.off("nothing"); // TS2345

const room: RoomConnection = untyped;
await room.invoke("Follow"); // TS2345
await room.send("Count", 1); // TS2345
room.stream("Send", "hello", "sad"); // TS2345
room.stream("Count", "1"); // TS2345
room.stream("Translate", new Subject<number>()); // TS2345
await room.invoke("Upload", "red", [], new Subject<number>()); // TS2345
await room.invoke("SetLevel", 2); // TS2345
room.stream("Count", 1).subscribe({ next: (n: string) => console.log(n), error: () => {}, complete: () => {} }); // TS2322

const shapes: ShapesConnection = untyped;
await shapes.invoke("Maps", { a: "1" }, {}, {}, {}); // TS2322
await shapes.invoke("Maps", {}, {}, { purple: true }, {}); // TS2353
await shapes.invoke("Lists", null, [], [], [], []); // TS2345

export { text };
