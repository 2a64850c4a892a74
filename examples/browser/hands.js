// Hands from Digit Live over WebSocket. Put your page and its script beside this file, into examples/browser/: Digit
// Live serves them, and refuses pages of other origins unless it listens beyond this computer and they give the token.
//
//   import { connect } from "./hands.js";
//   connect(`ws://${location.host}/${location.search}`, { onHands(message, latency) { ... } });
//
// A message is described by examples/message.schema.json. Joints come in OpenXR's order, of which the first message
// (`hello`) gives the names, also WebXR's. Metres; x right, y up, z backward from the camera.

const PING_EVERY_MS = 1000;
const RETRY_MS = [250, 500, 1000, 2000];

// Calls back with each message and its latencies in ms: from capture and from the finished Scene to this page.
// Connects again when the app restarts. Answers a function that ends it.
export function connect(url, { onHello, onHands, onState }) {
  let socket = null, ended = false, tries = 0, timer = 0;
  // Digit Live's clock minus this page's, from the ping with the shortest way.
  let clock = { offsetMs: 0, wayMs: Infinity };
  let lastLatencyMs = null;

  function open() {
    if (ended) return;
    socket = new WebSocket(url);
    onState?.("connecting");
    clock = { offsetMs: 0, wayMs: Infinity };
    socket.onopen = () => { tries = 0; onState?.("connected"); ping(); };
    socket.onmessage = (event) => take(JSON.parse(event.data));
    socket.onclose = () => {
      clearInterval(timer);
      if (ended) return;
      onState?.("lost");
      setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
    };
    timer = setInterval(ping, PING_EVERY_MS);
  }

  function ping() {
    if (socket.readyState !== WebSocket.OPEN) return;
    const said = { type: "ping", id: String(performance.now()) };
    if (lastLatencyMs !== null) said.latency_ms = lastLatencyMs;
    socket.send(JSON.stringify(said));
  }

  function take(message) {
    const nowMs = performance.now();
    if (message.type === "hello") return onHello?.(message);
    if (message.type === "pong") {
      const sentMs = Number(message.id), wayMs = nowMs - sentMs;
      if (wayMs <= clock.wayMs * 1.05) clock = { offsetMs: message.now_ns / 1e6 - (sentMs + nowMs) / 2, wayMs };
      return undefined;
    }
    const hereMs = nowMs + clock.offsetMs;
    const known = Number.isFinite(clock.wayMs);
    const latency = {
      captureMs: known ? hereMs - message.capture_ns / 1e6 : null,
      emittedMs: known ? hereMs - message.emitted_ns / 1e6 : null,
    };
    lastLatencyMs = latency.captureMs;
    return onHands?.(message, latency);
  }

  open();
  return () => { ended = true; clearInterval(timer); socket.close(); };
}
