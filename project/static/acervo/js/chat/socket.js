// The live connection of one conversation. `state`: "closed" (not wanted, or idle), "connecting", "open",
// "waiting" (for the next try), "unusable" (nothing ever came over it: use HTTP) or "refused".

const FIRST_WAIT = 1000; // milliseconds, doubled with every try; of it any part is waited
const LONGEST_WAIT = 30000;
const OPENING = 8000;
const PING_EVERY = 30000;
const PONG_WITHIN = 10000;
const FIRST_PONG_WITHIN = 4000;
const TRIES_BEFORE_HTTP = 3;
const UNUSABLE_WAIT = 60000;

const CLOSED = { signedOut: 4401, notYours: 4403, idle: 4408, flood: 4429, tooMany: 4430, full: 1013 };

/** Return one: it has open() and send(), and dispatches "message" and "state". */
export function liveSocket() {
  let socket = null;
  let conversation = "";
  let tries = 0;
  let everHeard = false;
  let isProven = false; // this connection: something came over it
  let timer = 0;
  let pinging = 0;
  let pongTimer = 0;
  const line = Object.assign(new EventTarget(), { state: "closed", open, send });
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  addEventListener("pageshow", (event) => event.persisted && hurry());

  /** Connect to a conversation, unless that is done or under way. */
  function open(wanted) {
    conversation = wanted;
    if (["closed", "waiting"].includes(line.state)) connect();
  }

  /** Return whether the connection took a message. */
  function send(message) {
    if (line.state !== "open" || socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  function connect() {
    clearTimeout(timer);
    setState("connecting");
    const fresh = new WebSocket(`${location.origin.replace("http", "ws")}/ws/chat/${conversation}/`);
    socket = fresh;
    isProven = false;
    timer = setTimeout(abandon, OPENING);
    fresh.addEventListener("open", () => {
      clearTimeout(timer);
      pinging = setInterval(ping, PING_EVERY);
      setState("open");
      // Some proxies open a line and then let nothing through.
      ping(FIRST_PONG_WITHIN);
    });
    fresh.addEventListener("message", ({ data }) => fresh === socket && take(data));
    fresh.addEventListener("close", ({ code }) => fresh === socket && closed(code));
  }

  function take(data) {
    clearTimeout(pongTimer);
    tries = 0;
    everHeard = isProven = true;
    const message = JSON.parse(data);
    if (message.type !== "pong") line.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  function ping(within = PONG_WITHIN) {
    if (!send({ type: "ping" })) return;
    clearTimeout(pongTimer);
    pongTimer = setTimeout(abandon, within);
  }

  /** Give up on one that does not answer: its own close event may take minutes. */
  function abandon() {
    const given = socket;
    socket = null;
    given?.close();
    closed(1006);
  }

  function closed(code) {
    clearTimeout(timer);
    clearTimeout(pongTimer);
    clearInterval(pinging);
    const wasProven = isProven;
    isProven = false;
    // A session that was renewed elsewhere has another cookie by now: one try shows it.
    if (code === CLOSED.notYours || (code === CLOSED.signedOut && !wasProven)) {
      return setState("refused", code === CLOSED.signedOut ? "signed_out" : "not_yours");
    }
    if (code === CLOSED.idle) return setState("closed");
    tries += 1;
    const isSilent = !everHeard && tries >= TRIES_BEFORE_HTTP && navigator.onLine;
    const isHopeless = isSilent || code === CLOSED.tooMany;
    setState(isHopeless ? "unusable" : "waiting", code === CLOSED.flood ? "flood" : "");
    timer = setTimeout(connect, isHopeless ? UNUSABLE_WAIT : pause(code));
  }

  /** Return the milliseconds to wait: chance keeps thousands from coming back at once. */
  function pause(code) {
    if (code === CLOSED.flood) return 10000;
    if (code === CLOSED.signedOut) return 0;
    const doubled = FIRST_WAIT * 2 ** (code === CLOSED.full ? tries + 2 : tries);
    return Math.random() * Math.min(LONGEST_WAIT, doubled);
  }

  /** Try at once: the network or the page is back. */
  function hurry() {
    if (line.state === "waiting") connect();
    else if (line.state === "open") ping();
  }

  function setState(state, reason = "") {
    line.state = state;
    line.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }

  return line;
}
