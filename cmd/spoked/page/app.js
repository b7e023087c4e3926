import { HubClient } from "./hub-client.js";
import { setUpChat } from "./chat.js";
import { setUpLive } from "./live.js";
import { setUpConnection } from "./connection.js";

const client = new HubClient("/chat");
setUpConnection(client);
setUpChat(client);
setUpLive(client);
client.start();
