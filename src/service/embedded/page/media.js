// The sound's way to the meeting: one peer connection with one audio line in both directions. The server is ICE-lite and
// puts its addresses into the answer, so the offer is sent at once and candidates are never exchanged one by one.
// A connection that fails is thrown away and a new one offered.

/** Without a path in this time the page says what is blocked (U-2). */
const PATH_MS = 10_000;

/** While blocked, a new try begins this often. */
const BLOCKED_RETRY_MS = 15_000;

/** A path that is silent for this long is replaced, well before M-5 counts the participant as gone (15 s). */
const INTERRUPTED_MS = 3_000;

/** After a failed try. */
const FAILED_PAUSE_MS = 1_000;

/** The states in which the page says that there is no path. */
const WITHOUT_PATH = ['blocked', 'unanswered'];

/** The peer connection and its renewal. States: idle, connecting, connected, interrupted, blocked, unanswered. */
export class Media {
  #iceServers = [];
  #send;
  #changed;
  #stream;
  #pc = null;
  #sender = null;
  #track = null;
  #answered = false;
  #tryingSince = null;
  #timers = new Map();

  /** See the class. */
  state = 'idle';

  /**
   * @param {object} wiring
   * @param {(message: object) => boolean} wiring.send gives a message to the signalling; false if it could not go
   * @param {(state: string) => void} wiring.changed told each new state
   * @param {(stream: MediaStream) => void} wiring.stream given the meeting's sound
   */
  constructor({ send, changed, stream }) {
    this.#send = send;
    this.#changed = changed;
    this.#stream = stream;
  }

  /** @param {RTCIceServer[]} servers from the last welcome; their credentials live for a time only */
  set iceServers(servers) {
    this.#iceServers = servers;
  }

  /** What is sent from now on; null sends nothing. Needs no new offer. */
  setTrack(track) {
    this.#track = track;
    this.#sender?.replaceTrack(track).catch(() => this.start());
  }

  /** Throws the present connection away and offers a new one. */
  async start() {
    this.#discard();
    this.#tryingSince ??= performance.now();
    if (!WITHOUT_PATH.includes(this.state)) this.#become('connecting');
    this.#answered = false;
    let pc;
    try {
      pc = new RTCPeerConnection({ iceServers: this.#iceServers, bundlePolicy: 'max-bundle' });
    } catch {
      // A wrong ICE server in the settings must not cost the sound: the host candidates alone usually do.
      pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    }
    this.#pc = pc;
    this.#sender = pc.addTransceiver(this.#track ?? 'audio', { direction: 'sendrecv' }).sender;
    pc.ontrack = (event) => this.#stream(event.streams[0] ?? new MediaStream([event.track]));
    pc.onconnectionstatechange = () => {
      if (pc === this.#pc) this.#follow(pc.connectionState);
    };
    this.#after('path', Math.max(0, this.#tryingSince + PATH_MS - performance.now()), () => this.#noPath());
    try {
      await pc.setLocalDescription();
      if (pc !== this.#pc) return;
      // Without signalling there is nothing to wait for: the next `welcome` starts anew.
      if (!this.#send({ type: 'offer', sdp: pc.localDescription.sdp })) this.#discard();
    } catch {
      if (pc === this.#pc) this.#after('again', FAILED_PAUSE_MS, () => this.start());
    }
  }

  /** Takes the server's answer to the last offer. */
  async answer(sdp) {
    const pc = this.#pc;
    if (!pc || this.#answered || pc.signalingState !== 'have-local-offer') return;
    this.#answered = true;
    try {
      await pc.setRemoteDescription({ type: 'answer', sdp });
    } catch {
      if (pc === this.#pc) this.#after('again', FAILED_PAUSE_MS, () => this.start());
    }
  }

  /** Asked by a person: forget how long it was tried, and try again. */
  retry() {
    this.#tryingSince = null;
    this.#become('connecting');
    this.start();
  }

  /** Ends the sound. */
  stop() {
    this.#discard();
    this.#tryingSince = null;
    this.#track = null;
    this.#become('idle');
  }

  #follow(connection) {
    if (connection === 'connected') {
      this.#tryingSince = null;
      this.#timers.forEach((_, name) => this.#cancel(name));
      this.#become('connected');
    } else if (connection === 'disconnected') {
      this.#become('interrupted');
      this.#after('again', INTERRUPTED_MS, () => this.start());
    } else if (connection === 'failed') {
      if (this.state === 'connected') this.#become('interrupted');
      this.#after('again', WITHOUT_PATH.includes(this.state) ? BLOCKED_RETRY_MS : FAILED_PAUSE_MS, () => this.start());
    }
  }

  #noPath() {
    this.#tryingSince = null;
    this.#become(this.#answered ? 'blocked' : 'unanswered');
    this.#after('again', BLOCKED_RETRY_MS, () => this.start());
  }

  #discard() {
    this.#timers.forEach((_, name) => this.#cancel(name));
    const pc = this.#pc;
    this.#pc = this.#sender = null;
    if (pc) {
      pc.ontrack = pc.onconnectionstatechange = null;
      pc.close();
    }
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#changed(state);
  }

  #after(name, milliseconds, act) {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(act, milliseconds));
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
