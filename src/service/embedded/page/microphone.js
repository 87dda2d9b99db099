// The microphone: which one, how loud, and why not. It gives a track; who may hear it is decided in app.js.

import { audioContext } from './sound.js';
import { recall, remember } from './memory.js';

/** Below this the meter shows nothing. */
const QUIETEST_DB = -60;

/** The browser's own words for a refusal, as one of ours. */
function problemOf(error) {
  switch (error?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** One microphone at a time. `changed` is called whenever `track`, `devices`, `problem` or `state` is another. */
export class Microphone {
  #changed;
  #opening = 0;
  #meterTrack = null;
  #source = null;
  #analyser = null;
  #samples = null;
  #live = false;

  /** What may be sent, or null. */
  track = null;
  /** Inputs to choose from: `{id, label}`. */
  devices = [];
  /** Null, or why there is no track: insecure, refused, missing, busy, unplugged, failed. */
  problem = null;
  /** closed, opening, open. */
  state = 'closed';
  /** The chosen input. */
  deviceId = recall('microphone');
  /** No echo cancellation, noise suppression or gain control. */
  original = recall('original-sound') === 'on';

  constructor(changed) {
    this.#changed = changed;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#listDevices());
  }

  /** Opens the chosen microphone, or whichever there is if that one has gone. Never throws; the outcome is in `state` and `problem`. */
  async open({ deviceId = this.deviceId, original = this.original } = {}) {
    this.close();
    this.deviceId = deviceId;
    this.original = original;
    remember('microphone', deviceId);
    remember('original-sound', original ? 'on' : 'off');
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
      this.#fail('insecure');
      return;
    }
    const turn = ++this.#opening;
    this.state = 'opening';
    this.problem = null;
    this.#changed();
    try {
      const stream = await this.#ask();
      if (turn !== this.#opening) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      this.#take(stream.getAudioTracks()[0]);
    } catch (error) {
      if (turn === this.#opening) this.#fail(problemOf(error));
    }
    await this.#listDevices();
  }

  /** Lets the microphone go; the browser's recording mark disappears. */
  close() {
    this.#opening += 1;
    this.#source?.disconnect();
    for (const track of [this.track, this.#meterTrack]) {
      if (track) {
        track.onended = null;
        track.stop();
      }
    }
    this.track = this.#meterTrack = this.#source = this.#analyser = null;
    this.state = 'closed';
    this.problem = null;
  }

  /** Whether the track carries sound or silence. The meter goes on either way. */
  set live(on) {
    this.#live = on;
    if (this.track) this.track.enabled = on;
  }

  /** Loudness now: 0 (silence) to 1 (full scale), linear in decibels. */
  level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const db = 10 * Math.log10(sum / this.#samples.length + 1e-12);
    return Math.min(1, Math.max(0, 1 - db / QUIETEST_DB));
  }

  #ask() {
    const treated = !this.original;
    const audio = { echoCancellation: treated, noiseSuppression: treated, autoGainControl: treated };
    const chosen = this.deviceId ? { ...audio, deviceId: { exact: this.deviceId } } : audio;
    return navigator.mediaDevices.getUserMedia({ audio: chosen }).catch((error) => {
      if (chosen !== audio && ['NotFoundError', 'OverconstrainedError'].includes(error.name)) {
        this.deviceId = '';
        return navigator.mediaDevices.getUserMedia({ audio });
      }
      throw error;
    });
  }

  #take(track) {
    this.track = track;
    this.state = 'open';
    this.problem = null;
    this.deviceId = track.getSettings().deviceId ?? this.deviceId;
    track.enabled = this.#live;
    track.onended = () => {
      this.close();
      this.#fail('unplugged');
      this.#listDevices();
    };
    // The meter listens to a copy: the sent track falls silent on mute, and "you are muted" needs to know that one speaks.
    // The copy never leaves this page.
    const audio = audioContext();
    if (audio) {
      this.#meterTrack = track.clone();
      this.#meterTrack.enabled = true;
      this.#source = audio.createMediaStreamSource(new MediaStream([this.#meterTrack]));
      this.#analyser = audio.createAnalyser();
      this.#analyser.fftSize = 1024;
      this.#samples = new Float32Array(this.#analyser.fftSize);
      this.#source.connect(this.#analyser);
    }
    this.#changed();
  }

  #fail(problem) {
    this.state = 'closed';
    this.problem = problem;
    this.#changed();
  }

  async #listDevices() {
    try {
      const all = await navigator.mediaDevices.enumerateDevices();
      this.devices = all
        .filter((device) => device.kind === 'audioinput' && device.deviceId)
        .map((device, index) => ({ id: device.deviceId, label: device.label || `Microphone ${index + 1}` }));
    } catch {
      this.devices = [];
    }
    this.#changed();
  }
}
