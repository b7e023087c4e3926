// The live broadcast: rate, latency, and a chart of the time between arrivals.
import { byId, formatCount, formatMilliseconds, quantile, showError, Window } from "./dom.js";

const SHOWN = 120; // arrivals in the chart
const SAMPLES = 500; // arrivals and round trips behind the quantiles
const ECHO_EVERY = 500; // ms

export function setUpLive(client) {
  let watching = true;
  let received = 0;
  let missed = 0;
  let lastNumber = null;
  let lastArrival = null;
  let rate = Number(byId("rate").value);
  let watchers = 0;
  const gaps = new Window(SHOWN);
  const jitter = new Window(SAMPLES);
  const roundTrips = new Window(SAMPLES);
  const arrivals = new Window(SAMPLES);

  const forget = () => {
    lastNumber = null;
    lastArrival = null;
    arrivals.clear();
  };

  const watch = async () => {
    forget();
    byId("watch").setAttribute("aria-pressed", String(watching));
    byId("watch").textContent = watching ? "Watching" : "Watch";
    if (client.state !== "connected") return;
    try {
      if (watching) showRate(await client.invoke("Watch"));
      else await client.invoke("Unwatch");
      showError("live-error");
    } catch (error) {
      showError("live-error", error);
    }
  };

  const showRate = (perSecond) => {
    rate = perSecond;
    if (document.activeElement !== byId("rate")) byId("rate").value = perSecond;
    byId("rate-value").textContent = `${byId("rate").value} / s`;
  };

  client.on("tick", (tick) => {
    const now = performance.now();
    if (!watching) return;
    received++;
    if (lastNumber !== null && tick.number > lastNumber + 1) missed += tick.number - lastNumber - 1;
    lastNumber = tick.number;
    if (lastArrival !== null && tick.rate === rate) {
      gaps.add(now - lastArrival);
      jitter.add(Math.abs(now - lastArrival - 1000 / rate));
    }
    if (tick.rate !== rate) {
      // The first gap at a new rate belongs to neither.
      jitter.clear();
      arrivals.clear();
      showRate(tick.rate);
    }
    lastArrival = now;
    arrivals.add(now);
    watchers = tick.watchers;
  });

  client.addEventListener("connected", watch);
  byId("watch").addEventListener("click", () => {
    watching = !watching;
    void watch();
  });
  byId("rate").addEventListener("input", () => {
    byId("rate-value").textContent = `${byId("rate").value} / s`;
  });
  byId("rate").addEventListener("change", async () => {
    try {
      await client.invoke("SetRate", Number(byId("rate").value));
      showError("live-error");
    } catch (error) {
      showError("live-error", error);
    }
  });

  setInterval(async () => {
    if (!watching || client.state !== "connected") return;
    const sent = performance.now();
    try {
      await client.invoke("Echo", sent);
      roundTrips.add(performance.now() - sent);
    } catch {
      // The connection ended meanwhile; its panel says so.
    }
  }, ECHO_EVERY);

  const show = () => {
    const still = !watching || client.state !== "connected";
    byId("live-rate").textContent = still ? "0.0" : measuredRate(arrivals.values).toFixed(1);
    byId("live-watchers").textContent = still || watchers === 0 ? "not watching" : watchers === 1 ? "you watch" : `${formatCount(watchers)} watch`;
    byId("live-received").textContent = formatCount(received);
    byId("live-missed").textContent = formatCount(missed);
    byId("rtt-p50").textContent = formatMilliseconds(quantile(roundTrips.values, 0.5));
    byId("rtt-p99").textContent = formatMilliseconds(quantile(roundTrips.values, 0.99));
    byId("jitter-p50").textContent = formatMilliseconds(quantile(jitter.values, 0.5));
    byId("jitter-p99").textContent = formatMilliseconds(quantile(jitter.values, 0.99));
    draw(byId("live-chart"), gaps.values, 1000 / rate);
  };
  setInterval(show, 250);
  show();
}

// measuredRate is that of the last 3 seconds, or of what there is.
function measuredRate(arrivals) {
  const now = performance.now();
  const recent = arrivals.filter((t) => now - t < 3000);
  if (recent.length < 2) return 0;
  return ((recent.length - 1) * 1000) / (recent.at(-1) - recent[0]);
}

// draw paints one bar per gap, and a line at the expected one, which stands at half height.
function draw(canvas, gaps, expected) {
  const style = getComputedStyle(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  const top = Math.max(2 * expected, 1);
  const step = width / SHOWN;
  g.fillStyle = style.getPropertyValue("--accent");
  gaps.forEach((gap, i) => {
    const h = Math.max(2, Math.min(1, gap / top) * (height - 6));
    g.fillRect((SHOWN - gaps.length + i) * step, height - h, Math.max(1, step - 1), h);
  });
  const y = height - (expected / top) * (height - 6) - 0.5;
  g.strokeStyle = style.getPropertyValue("--muted");
  g.setLineDash([3, 4]);
  g.beginPath();
  g.moveTo(0, y);
  g.lineTo(width, y);
  g.stroke();
  byId("chart-scale").textContent = `dashed: ${Math.round(expected)} ms`;
}
