// A TCP relay that breaks by itself.
import net from "node:net";

// FrailCable leads to a server. While it is frail each new connection breaks after a random number of bytes in one direction, but not before `sound` bytes: the official client tries
// once to come back, so its upgrade has to get through.
export class FrailCable {
  url = "";
  frail = false;
  cuts = 0;
  #relay;
  #sockets = new Set();

  static async to(server, sound = 800, most = 4_000) {
    const cable = new FrailCable();
    cable.#relay = net.createServer((near) => {
      const far = net.connect(server.port, "127.0.0.1");
      const upwards = Math.random() < 0.5;
      const limit = () => (cable.frail ? sound + Math.floor(Math.random() * most) : Infinity);
      cable.#carry(near, far, upwards ? limit() : Infinity);
      cable.#carry(far, near, upwards ? Infinity : limit());
    });
    await new Promise((resolve) => cable.#relay.listen(0, "127.0.0.1", resolve));
    cable.url = `http://127.0.0.1:${cable.#relay.address().port}/`;
    return cable;
  }

  #carry(from, to, left) {
    this.#sockets.add(from);
    from.on("error", () => {}); // "close" follows
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroySoon();
    });
    from.on("data", (bytes) => {
      if (left <= 0) return;
      to.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left > 0) return;
      this.cuts++;
      to.destroySoon(); // what was written still arrives
      from.resetAndDestroy();
    });
  }

  // cut breaks all connections now.
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#relay.close(resolve));
  }
}
