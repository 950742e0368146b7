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

/**
 * Return one, which dispatches "message" and "state". `address()` is asked for its path before each try; when the
 * server closes with `last`, it is not taken up again.
 */
export function liveSocket(address, last = CLOSED.idle) {
  let socket = null;
  let tries = 0;
  let everHeard = false;
  let isProven = false; // this connection: something came over it
  let timer = 0;
  let pinging = 0;
  let pongTimer = 0;
  const line = Object.assign(new EventTarget(), { state: "closed", open, send, close });
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => document.hidden || hurry());
  addEventListener("pageshow", (event) => event.persisted && hurry());

  /** Connect, unless that is done or under way. */
  function open() {
    if (["closed", "waiting"].includes(line.state)) connect();
  }

  /** Return whether the connection took a message. */
  function send(message) {
    if (line.state !== "open" || socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  function close() {
    drop();
    line.state = "closed";
  }

  function connect() {
    clearTimeout(timer);
    tell("connecting");
    const fresh = (socket = new WebSocket(location.origin.replace("http", "ws") + address()));
    isProven = false;
    timer = setTimeout(abandon, OPENING);
    fresh.addEventListener("open", () => {
      if (fresh !== socket) return;
      clearTimeout(timer);
      pinging = setInterval(ping, PING_EVERY);
      tell("open");
      // Some proxies open a line and then let nothing through.
      ping(FIRST_PONG_WITHIN);
    });
    fresh.addEventListener("message", ({ data }) => fresh === socket && take(JSON.parse(data)));
    fresh.addEventListener("close", ({ code }) => fresh === socket && closed(code));
  }

  function take(detail) {
    clearTimeout(pongTimer);
    tries = 0;
    everHeard = isProven = true;
    if (detail.type !== "pong") line.dispatchEvent(new CustomEvent("message", { detail }));
  }

  function ping(within = PONG_WITHIN) {
    if (!send({ type: "ping" })) return;
    clearTimeout(pongTimer);
    pongTimer = setTimeout(abandon, within);
  }

  function drop() {
    clearTimeout(timer);
    clearTimeout(pongTimer);
    clearInterval(pinging);
    const given = socket;
    socket = null;
    given?.close();
  }

  /** Give up on one that does not answer: its own close event may take minutes. */
  const abandon = () => closed(1006);

  function closed(code) {
    drop();
    // A session that was renewed elsewhere has another cookie by now: one try shows it.
    if (code === CLOSED.signedOut && !isProven) return tell("refused", "signed_out");
    if (code === CLOSED.notYours) return tell("refused", "not_yours");
    isProven = false;
    if (code === last) return tell("closed");
    tries += 1;
    const isSilent = !everHeard && tries >= TRIES_BEFORE_HTTP && navigator.onLine;
    const isHopeless = isSilent || code === CLOSED.tooMany;
    tell(isHopeless ? "unusable" : "waiting", code === CLOSED.flood ? "flood" : "");
    timer = setTimeout(connect, isHopeless ? UNUSABLE_WAIT : pause(code));
  }

  /** Return the milliseconds to wait: chance keeps thousands from coming back at once. */
  function pause(code) {
    if (code === CLOSED.flood) return 10000;
    if (code === CLOSED.signedOut) return 0;
    return Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (code === CLOSED.full ? tries + 2 : tries));
  }

  /** Try at once: the network or the page is back. */
  function hurry() {
    if (line.state === "waiting") connect();
    else if (line.state === "open") ping();
  }

  function tell(state, reason = "") {
    line.state = state;
    line.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }

  return line;
}
