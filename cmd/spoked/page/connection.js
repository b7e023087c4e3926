// The connection panel, and the state in the page's head.
import { byId, formatBytes, formatCount, formatDuration } from "./dom.js";

const words = { connecting: "Connecting", connected: "Connected", reconnecting: "Reconnecting", disconnected: "Disconnected" };

export function setUpConnection(client) {
  const show = () => {
    byId("status").dataset.state = client.state;
    setText("status-text", words[client.state]);
    setText("c-state", words[client.state]);
    setText("c-transport", client.connectionId ? "WebSockets" : "–");
    setText("c-id", client.connectionId ?? "–");
    setText("c-reconnects", formatCount(client.reconnects));
    setText("c-close", client.lastClose ?? "None so far");
    const connected = client.state === "connected";
    byId("drop").disabled = !connected;
    setText("toggle", client.state === "disconnected" ? "Connect" : "Disconnect");
    showTraffic();
  };
  const showTraffic = () => {
    setText("c-uptime", client.connectedAt === null ? "–" : formatDuration(performance.now() - client.connectedAt));
    setText("c-in", `${formatCount(client.messagesIn)} · ${formatBytes(client.bytesIn)}`);
    setText("c-out", `${formatCount(client.messagesOut)} · ${formatBytes(client.bytesOut)}`);
  };

  client.addEventListener("state", show);
  setInterval(showTraffic, 500);
  byId("drop").addEventListener("click", () => client.drop());
  byId("toggle").addEventListener("click", () => {
    if (client.state === "disconnected") client.start();
    else client.stop();
  });
  addEventListener("online", () => client.retryNow());
  show();
}

// setText leaves an unchanged text alone, so that live regions stay quiet.
function setText(id, text) {
  const e = byId(id);
  if (e.textContent !== text) e.textContent = text;
}
