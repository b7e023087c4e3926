// The chat: rooms, members, messages.
import { avatar, byId, element, formatCount, showError } from "./dom.js";

const FIRST_ROOM = "lobby";
const KEPT = 500; // lines kept per room
const SAME_BREATH = 5 * 60 * 1000; // ms: messages of one person within it share a heading
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function setUpChat(client) {
  let name = storedName();
  let listed = []; // the server's list of rooms
  let current = null; // name of the room on show
  const joined = new Map(); // name -> {members: Map(id -> member), lines: [], last: number of the newest message, unread}
  const joining = new Map(); // name -> what was heard of the room before the answer to Join

  // fit makes the message box as tall as its text (or its placeholder).
  const message = byId("message");
  const fit = () => {
    message.style.height = "auto";
    message.style.height = `${message.scrollHeight + 2}px`;
  };

  // Rooms

  const join = async (room) => {
    const heard = [];
    joining.set(room, heard);
    const state = await client.invoke("Join", room, name).finally(() => joining.delete(room));
    const known = joined.get(state.room);
    const entry = known ?? { members: new Map(), lines: [], last: 0, unread: 0 };
    entry.members = new Map(state.members.map((m) => [m.id, m]));
    // A room that everybody had left begins again at 1.
    if ((state.history.at(-1)?.number ?? 0) < entry.last) entry.last = 0;
    for (const message of state.history) if (message.number > entry.last) addMessage(entry, message);
    joined.set(state.room, entry);
    for (const again of heard) again();
    return state.room;
  };

  const openRoom = async (room) => {
    try {
      if (!joined.has(room)) room = await join(room);
      show(room);
      showError("rooms-error");
      return true;
    } catch (error) {
      showError("rooms-error", error);
      return false;
    }
  };

  const leave = async () => {
    const room = current;
    try {
      await client.invoke("Leave", room);
      joined.delete(room);
      show(joined.keys().next().value ?? null);
      showError("chat-error");
    } catch (error) {
      showError("chat-error", error);
    }
  };

  // After every (re)connect the server knows this client by a new id and in no room.
  const rejoin = async () => {
    try {
      for (const room of joined.size > 0 ? [...joined.keys()] : [FIRST_ROOM]) {
        const again = joined.has(room);
        await join(room);
        if (again) note(room, "You are back after a reconnect.");
      }
      listed = await client.invoke("Rooms");
      show(joined.has(current) ? current : joined.keys().next().value);
      showError("rooms-error");
    } catch (error) {
      if (client.state === "connected") showError("rooms-error", error);
    }
  };

  // Lines

  const addMessage = (entry, message) => {
    entry.last = Math.max(entry.last, message.number);
    return addLine(entry, { message, mine: message.from.id === client.connectionId });
  };
  const addLine = (entry, line) => {
    entry.lines.push(line);
    if (entry.lines.length > KEPT) entry.lines.shift();
    return line;
  };
  const note = (room, text) => {
    const entry = joined.get(room);
    if (!entry) return;
    const line = addLine(entry, { note: text });
    if (room === current) append(entry, line);
  };

  const append = (entry, line) => {
    const box = byId("log-box");
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    const list = byId("log");
    list.append(drawLine(line, entry.lines[entry.lines.indexOf(line) - 1]));
    while (list.children.length > KEPT) list.firstElementChild.remove();
    byId("empty").hidden = true;
    if (atEnd) box.scrollTop = box.scrollHeight;
  };

  const drawLine = ({ message, mine, note }, before) => {
    if (note) return element("li", "note", note);
    const heading =
      before?.message?.from.id !== message.from.id || before.message.from.name !== message.from.name || message.at - before.message.at > SAME_BREATH;
    const text = element("p", "text", message.text);
    if (!heading) return element("li", "", text);
    const at = new Date(message.at);
    const time = element("time", "", clock.format(at));
    time.dateTime = at.toISOString();
    const who = element("span", "who", message.from.name);
    const meta = element("p", "meta", who, ...(mine ? [element("span", "you", "you")] : []), time);
    return element("li", "first", avatar(message.from), meta, text);
  };

  // Drawing

  const show = (room) => {
    current = room;
    const entry = joined.get(room);
    if (entry) entry.unread = 0;
    const list = byId("log");
    list.setAttribute("aria-busy", "true"); // another room's old messages are no news
    list.replaceChildren(...(entry?.lines ?? []).map((line, i, lines) => drawLine(line, lines[i - 1])));
    list.removeAttribute("aria-busy");
    byId("log-box").scrollTop = byId("log-box").scrollHeight;
    byId("chat-title").textContent = room === null ? "Chat" : `#${room}`;
    byId("message-label").textContent = room === null ? "Message" : `Message to ${room}`;
    byId("message").placeholder = room === null ? "Join a room first" : `Write to #${room}`;
    byId("empty").hidden = (entry?.lines.length ?? 0) > 0;
    byId("empty").textContent = room === null ? "You are in no room. Choose one, or open a new one." : "Nothing said here yet. Open this page in a second window to talk to yourself.";
    byId("leave").hidden = room === null;
    byId("members").hidden = room === null;
    if (room === null) byId("members").open = false;
    fit();
    enable();
    drawMembers();
    drawRooms();
  };

  const enable = () => {
    const off = client.state !== "connected";
    for (const id of ["leave", "send"]) byId(id).disabled = off || current === null;
    for (const form of ["join-form", "name-form"]) byId(form).querySelector("button").disabled = off;
  };

  const drawMembers = () => {
    const members = [...(joined.get(current)?.members.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name));
    byId("members-count").textContent = members.length === 1 ? "1 person" : `${formatCount(members.length)} people`;
    byId("members-list").replaceChildren(
      ...members.map((m) => {
        const label = element("span", "", m.name);
        if (m.id === client.connectionId) label.append(" ", element("span", "you", "you"));
        return element("li", "", avatar(m), label);
      }),
    );
  };

  // drawRooms keeps the buttons that stay: one that were replaced between a press and its release would lose the click.
  const drawRooms = () => {
    const counts = new Map(listed.map((r) => [r.room, r.members]));
    for (const [room, entry] of joined) counts.set(room, entry.members.size);
    const rooms = [...joined.keys(), ...listed.map((r) => r.room).filter((room) => !joined.has(room))];
    const list = byId("room-list");
    const focused = document.activeElement?.closest?.("#room-list button");
    const rows = new Map([...list.children].map((row) => [row.firstElementChild.dataset.room, row]));
    for (const [room, row] of rows) if (!rooms.includes(room)) row.remove();
    rooms.forEach((room, i) => {
      const row = rows.get(room) ?? newRoomRow(room);
      drawRoom(row.firstElementChild, room, counts.get(room) ?? 0);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
    });
    if (focused?.isConnected) focused.focus();
  };
  const newRoomRow = (room) => {
    const button = element("button");
    button.type = "button";
    button.dataset.room = room;
    button.addEventListener("click", () => void openRoom(room));
    return element("li", "", button);
  };
  const drawRoom = (button, room, count) => {
    const entry = joined.get(room);
    button.dataset.joined = String(Boolean(entry));
    const parts = [element("span", "room-label", room)];
    if (entry?.unread) {
      parts.push(element("span", "unread", String(Math.min(entry.unread, 99)), element("span", "visually-hidden", " unread,")));
    }
    parts.push(element("span", "count", formatCount(count), element("span", "visually-hidden", count === 1 ? " person" : " people")));
    button.replaceChildren(...parts);
    if (room === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  };

  // What the server says

  // inOrder puts off what is heard of a room until the answer to Join is in.
  const inOrder = (room, f) => {
    const heard = joining.get(room);
    if (heard) heard.push(f);
    else f();
  };
  const member = (f) => (room, m) =>
    inOrder(room, () => {
      const entry = joined.get(room);
      if (!entry) return;
      f(room, entry, m);
      drawRooms();
      if (room === current) drawMembers();
    });
  client.on("message", (message) => inOrder(message.room, () => heardMessage(message)));
  const heardMessage = (message) => {
    const entry = joined.get(message.room);
    if (!entry || message.number <= entry.last) return; // known from the history
    const line = addMessage(entry, message);
    if (message.room === current) {
      append(entry, line);
    } else {
      entry.unread++;
      drawRooms();
    }
  };
  client.on("joined", member((room, entry, m) => {
    if (entry.members.has(m.id)) return; // came with the list of members
    entry.members.set(m.id, m);
    note(room, `${m.name} has joined.`);
  }));
  client.on("left", member((room, entry, m) => {
    if (entry.members.delete(m.id)) note(room, `${m.name} has left.`);
  }));
  client.on("renamed", member((room, entry, m) => {
    const old = entry.members.get(m.id);
    entry.members.set(m.id, m);
    if (old && old.name !== m.name) note(room, `${old.name} is now ${m.name}.`);
  }));
  client.on("rooms", (list) => {
    listed = list;
    drawRooms();
  });
  client.addEventListener("connected", rejoin);
  client.addEventListener("state", enable);

  // What the user does

  byId("user-name").value = name;
  byId("name-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = byId("user-name").value.trim();
    try {
      await client.invoke("Rename", wanted);
      name = wanted;
      sessionStorage.setItem("spoke.name", name);
      showError("rooms-error");
    } catch (error) {
      showError("rooms-error", error);
    }
  });
  byId("join-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = byId("room-name");
    const wanted = input.value;
    if (await openRoom(wanted.trim())) {
      if (input.value === wanted) input.value = "";
      if (byId("join-form").contains(document.activeElement)) message.focus(); // the user may have gone on elsewhere
    }
  });
  byId("leave").addEventListener("click", () => void leave());

  message.addEventListener("input", fit);
  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId("composer").requestSubmit();
    }
  });
  byId("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = message.value;
    if (current === null || text.trim() === "") return;
    message.value = "";
    fit();
    message.focus(); // now, and not once the answer is in: the user may be typing elsewhere by then
    try {
      await client.invoke("Send", current, text);
      showError("chat-error");
    } catch (error) {
      if (message.value === "") message.value = text; // nothing typed is lost
      fit();
      showError("chat-error", error);
    }
  });
  document.addEventListener("keydown", (event) => {
    const members = byId("members");
    if (event.key === "Escape" && members.open) {
      members.open = false;
      byId("members-count").focus();
    }
  });

  show(null);
  byId("empty").textContent = "Joining a room.";
}

// storedName is this tab's name; each tab is somebody else.
function storedName() {
  let name = sessionStorage.getItem("spoke.name");
  if (!name) {
    name = `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
    sessionStorage.setItem("spoke.name", name);
  }
  return name;
}
