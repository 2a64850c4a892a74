// Draws both hands on a plain canvas: no library, works offline.
import { connect } from "./hands.js";

const COLORS = { right: [214, 92, 74], left: [96, 178, 236] };
const AXES = [[255, 110, 110], [120, 230, 120], [130, 160, 255]];
const SPAN_MS = 2000;

const canvas = document.getElementById("view");
const context = canvas.getContext("2d");
const byId = (id) => document.getElementById(id);
const camera = { yaw: 0.12, pitch: 0.12, distance: 0.42, middle: [0, 0, -0.5] };

let hello = null, newest = null, centred = false;
let webxrName = [];
const arrivals = [];

connect(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/${location.search}`, {
  onHello(message) {
    hello = message;
    for (const [name, joint] of Object.entries(message.webxr_joints)) webxrName[joint] = name;
  },
  onHands(message, latency) {
    newest = message;
    arrivals.push({ atMs: performance.now(), ...latency });
    while (performance.now() - arrivals[0].atMs > SPAN_MS) arrivals.shift();
    if (!centred && message.hands.length) centre(message.hands);
  },
  onState(state) {
    byId("state").textContent = state === "lost" ? "waiting for Digit Live" : state;
    byId("state").className = state;
    if (state === "lost") newest = null;
  },
});

function centre(hands) {
  const all = hands.flatMap((hand) => hand.positions);
  camera.middle = [0, 1, 2].map((k) => all.reduce((sum, p) => sum + p[k], 0) / all.length);
  centred = true;
}

// A point in metres to [x, y, scale, depth] on the canvas.
function project(point) {
  const [x, y, z] = point.map((value, k) => value - camera.middle[k]);
  const cy = Math.cos(camera.yaw), sy = Math.sin(camera.yaw), cp = Math.cos(camera.pitch), sp = Math.sin(camera.pitch);
  const across = cy * x + sy * z, back = -sy * x + cy * z;
  const up = cp * y - sp * back, depth = camera.distance - (sp * y + cp * back);
  const scale = 0.95 * Math.min(canvas.width, canvas.height) / Math.max(depth, 0.05);
  return [canvas.width / 2 + across * scale, canvas.height / 2 - up * scale, scale, depth];
}

function turned([x, y, z, w], axis) {
  const columns = [
    [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)],
    [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)],
    [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)],
  ];
  return columns[axis];
}

function shade(rgb, depth) {
  const light = Math.min(1.15, Math.max(0.45, 1.05 - 1.6 * (depth - camera.distance)));
  return `rgb(${rgb.map((c) => Math.min(255, Math.round(c * light))).join(",")})`;
}

function drawHands(hands) {
  const strokes = [];
  const across = (hand) => project(hand.positions[0])[0];
  const leftmost = hands.length > 1 ? hands.reduce((a, b) => (across(a) < across(b) ? a : b)) : null;
  for (const hand of hands) {
    const rgb = COLORS[hand.handedness];
    const seen = hand.positions.map(project);
    hello.parents.forEach((parent, joint) => {
      const [x, y, scale, depth] = seen[joint];
      const alpha = hand.confidence[joint] < 0.5 ? 0.45 : 1;
      if (parent !== joint) {
        const [px, py, pscale, pdepth] = seen[parent];
        const width = 1.3 * Math.min(hand.radii[joint] * scale, hand.radii[parent] * pscale);
        strokes.push({ depth: (depth + pdepth) / 2, draw: () => line(x, y, px, py, width, shade(rgb, (depth + pdepth) / 2), alpha) });
      }
      if (joint > 0) strokes.push({ depth, draw: () => ball(x, y, hand.radii[joint] * scale, shade(rgb, depth), alpha) });
      if (byId("axes").checked) {
        for (let axis = 0; axis < 3; axis++) {
          const way = turned(hand.orientations[joint], axis);
          const [ax, ay, , adepth] = project(hand.positions[joint].map((p, k) => p + 0.018 * way[k]));
          const nearer = Math.min(depth, adepth) - 0.03;
          strokes.push({ depth: nearer, draw: () => line(x, y, ax, ay, 2, `rgb(${AXES[axis].join(",")})`, 0.9) });
        }
      }
    });
    strokes.push({ depth: -1, draw: () => drawRay(hand) });
    if (byId("names").checked) strokes.push({ depth: -1, draw: () => drawNames(seen, hand === leftmost) });
  }
  strokes.sort((a, b) => b.depth - a.depth).forEach((stroke) => stroke.draw());
}

function line(x, y, px, py, width, color, alpha) {
  context.globalAlpha = alpha;
  context.strokeStyle = color;
  context.lineWidth = Math.max(1, width);
  context.lineCap = "round";
  context.beginPath();
  context.moveTo(px, py);
  context.lineTo(x, y);
  context.stroke();
  context.globalAlpha = 1;
}

function ball(x, y, radius, color, alpha) {
  context.globalAlpha = alpha;
  context.fillStyle = color;
  context.beginPath();
  context.arc(x, y, Math.max(1, radius), 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = "rgba(15,18,22,0.35)";
  context.lineWidth = 1;
  context.stroke();
  context.globalAlpha = 1;
}

function drawRay(hand) {
  if (!hand.pointing) return;
  const [x, y] = project(hand.ray.origin);
  const [ex, ey] = project(hand.ray.origin.map((p, k) => p + 0.25 * hand.ray.direction[k]));
  context.setLineDash([6, 6]);
  line(x, y, ex, ey, 2, "rgb(76,194,176)", 1);
  context.setLineDash([]);
}

// Names stand in a column beside the hand, in the order of their joints from the top: none covers another.
function drawNames(seen, toLeft) {
  const named = seen.map(([x, y], joint) => ({ x, y, name: webxrName[joint] })).filter((label) => label.name);
  named.sort((a, b) => a.y - b.y);
  const xs = named.map((label) => label.x), rowPx = 13, roomPx = 180;
  const edge = toLeft ? Math.max(roomPx, Math.min(...xs) - 40) : Math.min(canvas.width - roomPx, Math.max(...xs) + 40);
  const middle = named.reduce((sum, label) => sum + label.y, 0) / named.length, heightPx = rowPx * named.length;
  const top = Math.max(rowPx, Math.min(canvas.height - heightPx, middle - heightPx / 2));
  context.font = "11px system-ui, sans-serif";
  context.textAlign = toLeft ? "right" : "left";
  context.fillStyle = "#e6eaf0";
  named.forEach(({ x, y, name }, row) => {
    const at = top + row * rowPx;
    line(x, y, edge, at, 1, "#e6eaf0", 0.3);
    context.fillText(name, edge + (toLeft ? -5 : 5), at + 4);
  });
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function words(hand) {
  const pinch = Object.entries(hand.pinch).map(([finger, strength]) => `${finger} ${strength.toFixed(2)}`).join("  ");
  const on = [...hand.pinching.map((finger) => `pinch ${finger}`), hand.grabbing && "grab", hand.pointing && "point",
    hand.faces_camera && "palm to camera"].filter(Boolean).join(" · ");
  return `${hand.handedness}: ${pinch}  grab ${hand.grab.toFixed(2)}   ${on}`;
}

function showFigures() {
  const now = performance.now();
  const recent = arrivals.filter((arrival) => now - arrival.atMs < SPAN_MS);
  byId("rate").textContent = `${(recent.length / (SPAN_MS / 1000)).toFixed(0)} a second`;
  const known = recent.filter((arrival) => arrival.captureMs !== null);
  byId("latency").textContent = known.length
    ? `capture to page ${percentile(known.map((a) => a.captureMs), 0.5).toFixed(1)} ms, ` +
      `of it stream ${percentile(known.map((a) => a.emittedMs), 0.5).toFixed(1)} ms ` +
      `(p95 ${percentile(known.map((a) => a.emittedMs), 0.95).toFixed(1)})`
    : "";
  for (const side of ["right", "left"]) {
    const hand = newest?.hands.find((h) => h.handedness === side);
    byId(side).textContent = hand ? words(hand) : `${side}: –`;
  }
  byId("touch").textContent = (newest?.contacts ?? []).map((c) => `${c.right} touches ${c.left}`).join(", ");
}

function frame() {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (hello && newest) drawHands(newest.hands);
  requestAnimationFrame(frame);
}

canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
canvas.onpointermove = (event) => {
  if (!event.buttons) return;
  camera.yaw -= event.movementX * 0.008;
  camera.pitch = Math.min(1.5, Math.max(-1.5, camera.pitch + event.movementY * 0.008));
};
canvas.onwheel = (event) => {
  event.preventDefault();
  camera.distance = Math.min(3, Math.max(0.2, camera.distance * Math.exp(event.deltaY * 0.001)));
};

requestAnimationFrame(frame);
setInterval(showFigures, 250);
