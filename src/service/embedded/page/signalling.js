// The WebSocket to the meeting: text frames of JSON in both directions, and a new connection with growing pauses
// whenever one is lost. It knows nothing of what the messages mean, except `welcome` (the connection is worth
// something), `ping` and `ended` (nothing follows).

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/** A connection that gets no `welcome` in this time is given up; it would otherwise hang until the system's own limit. */
const WELCOME_MS = 10_000;

/** Silence longer than three of the server's own ping intervals, but never less than this, is a dead connection. */
const LEAST_SILENCE_MS = 20_000;

/** One meeting's signalling. */
export class Signalling {
  #url;
  #message;
  #link;
  #socket = null;
  #hello = null;
  #attempts = 0;
  #lostAt = null;
  #pauseTimer = 0;
  #deadTimer = 0;
  #lastPing = 0;
  #silence = 0;

  /**
   * @param {string} url where the WebSocket is
   * @param {(message: object) => void} message told every message of the server
   * @param {(link: {state: 'open'} | {state: 'lost', lostAt: number, retryAt: number}) => void} link told when the connection comes and goes
   */
  constructor(url, message, link) {
    this.#url = url;
    this.#message = message;
    this.#link = link;
  }

  /** Connects, and goes on doing so until `close`. `hello` makes the first frame of each connection. */
  open(hello) {
    this.close();
    this.#hello = hello;
    this.#attempts = 0;
    this.#lostAt = null;
    this.#connect();
  }

  /** Ends the connection for good; returns at once, what was sent before still goes out. */
  close() {
    this.#hello = null;
    clearTimeout(this.#pauseTimer);
    this.#drop();
  }

  /** Sends one message; false if there is no connection, and the message is then gone. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Tries at once instead of at the end of the pause. */
  retryNow() {
    if (this.#hello && !this.#socket) this.#connect();
  }

  #connect() {
    clearTimeout(this.#pauseTimer);
    this.#attempts += 1;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#silence = WELCOME_MS;
    this.#lastPing = 0;
    this.#watch();
    socket.onopen = () => this.send(this.#hello());
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof message?.type !== 'string') return;
    if (message.type === 'ping') {
      const now = performance.now();
      this.#silence = this.#lastPing ? Math.max(LEAST_SILENCE_MS, 3 * (now - this.#lastPing)) : this.#silence;
      this.#lastPing = now;
      this.#watch();
      this.send({ type: 'pong' });
      return;
    }
    if (message.type === 'welcome') {
      this.#attempts = 0;
      this.#lostAt = null;
      // Until two pings have shown the server's rhythm, silence proves nothing.
      this.#silence = 0;
      this.#link({ state: 'open' });
    }
    if (message.type === 'ended') this.close();
    this.#watch();
    this.#message(message);
  }

  #watch() {
    clearTimeout(this.#deadTimer);
    if (this.#silence > 0 && this.#socket) this.#deadTimer = setTimeout(() => this.#lost(), this.#silence);
  }

  #drop() {
    clearTimeout(this.#deadTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #lost() {
    this.#drop();
    if (!this.#hello) return;
    this.#lostAt ??= Date.now();
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#attempts, 8));
    // A server that restarts should not be met by everybody in the same instant.
    const wait = pause * (0.5 + Math.random() / 2);
    this.#pauseTimer = setTimeout(() => this.#connect(), wait);
    this.#link({ state: 'lost', lostAt: this.#lostAt, retryAt: Date.now() + wait });
  }
}
