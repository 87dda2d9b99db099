// The WebSocket to the meeting: text frames of JSON in both directions, and a new connection with growing pauses
// whenever one is lost. It knows nothing of what the messages mean, except `welcome` (the connection is worth
// something), `ping` and `ended` (nothing follows, unless the server restarts).

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/** A connection that gets no `welcome` in this time is given up; it would otherwise hang until the system's own limit. */
const WELCOME_MS = 10_000;

/** Silence for three of the server's pings, which come every 5 s, is a dead connection: after as long the server gives the page up (M-5). */
const SILENCE_MS = 15_000;

/** Silence for longer than one ping is a dead connection where something else has failed as well. */
const SUSPECT_MS = 7_000;

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
  #heardAt = 0;

  /**
   * @param {() => string} url where the WebSocket is
   * @param {(message: object) => void} message told every message of the server
   * @param {(link: {state: 'open'} | {state: 'lost', lostAt: number, retryAt: number, shut: boolean}) => void} link told when the connection comes and goes
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

  /** True if the server has been heard within one of its pings: what is said about the connection is not about one that is lost. */
  get alive() {
    return this.#socket !== null && performance.now() - this.#heardAt < SUSPECT_MS;
  }

  /** Something else (the sound, the browser's own network) has failed: silence is believed sooner. */
  suspect() {
    if (this.#socket) this.#watch(Math.max(0, this.#heardAt + SUSPECT_MS - performance.now()));
  }

  /** True while a connection is there or tried for. */
  get wanted() {
    return this.#hello !== null;
  }

  /** Tries at once instead of at the end of the pause. */
  retryNow() {
    if (this.#hello && !this.#socket) this.#connect();
  }

  #connect() {
    clearTimeout(this.#pauseTimer);
    this.#attempts += 1;
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#watch(WELCOME_MS);
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.send(this.#hello());
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost(!opened);
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
    this.#heardAt = performance.now();
    this.#watch(SILENCE_MS);
    if (message.type === 'ping') {
      this.send({ type: 'pong' });
      return;
    }
    if (message.type === 'welcome') {
      this.#attempts = 0;
      this.#lostAt = null;
      this.#link({ state: 'open' });
    }
    if (message.type === 'ended' && message.reason !== 'restarting') this.close();
    this.#message(message);
  }

  #watch(silence) {
    clearTimeout(this.#deadTimer);
    this.#deadTimer = setTimeout(() => this.#lost(), silence);
  }

  #drop() {
    clearTimeout(this.#deadTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** `shut`: the server, or something before it, has not even taken the connection. */
  #lost(shut = false) {
    this.#drop();
    if (!this.#hello) return;
    this.#lostAt ??= Date.now();
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#attempts, 8));
    // A server that restarts should not be met by everybody in the same instant.
    const wait = pause * (0.5 + Math.random() / 2);
    this.#pauseTimer = setTimeout(() => this.#connect(), wait);
    this.#link({ state: 'lost', lostAt: this.#lostAt, retryAt: Date.now() + wait, shut });
  }
}
