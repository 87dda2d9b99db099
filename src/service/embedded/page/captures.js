// Recording and transcription (N-1): the banner everybody sees and the controls of those who may switch (M-12).

import { announce, byId, confirmed, icon, part, setShown, setText, toast } from './view.js';
import { captures as words, clock, duration } from './text.js';

/** One of the two states. `kind` is recording or transcription. */
export class Capture {
  #kind;
  #words;
  #banner;
  #chip;
  #state = 'off';
  #since = null;
  #begun = null;
  #fresh = true;

  /**
   * @param {'recording' | 'transcription'} kind
   * @param {{banner: string, chip: string, start: string, pause: string, stop: string}} ids of the elements
   * @param {(message: object) => void} send
   */
  constructor(kind, ids, send) {
    this.#kind = kind;
    this.#words = words[kind];
    this.#banner = byId(ids.banner);
    this.#chip = byId(ids.chip);
    this.buttons = { start: byId(ids.start), pause: byId(ids.pause), stop: byId(ids.stop) };
    this.buttons.start.addEventListener('click', async () => {
      if (this.#state === 'paused' || (await confirmed(this.#words.start))) send({ type: kind, state: 'on' });
    });
    this.buttons.pause.addEventListener('click', () => send({ type: kind, state: 'paused' }));
    this.buttons.stop.addEventListener('click', async () => {
      if (await confirmed(this.#words.stop)) send({ type: kind, state: 'off' });
    });
  }

  /** A new presence: whatever is on was on before. */
  reset() {
    this.#state = 'off';
    this.#since = this.#begun = null;
    this.#fresh = true;
    this.#draw(false);
  }

  /** Shows this state; a change is told, also to screen readers. */
  show(state, maySwitch) {
    const before = this.#state;
    if (state !== before) {
      this.#state = state;
      this.#since = Date.now();
      if (before === 'off') this.#begun = this.#fresh ? null : this.#since;
      const said = this.#words.said;
      const sentence = state === 'on' && before === 'paused' ? said.resumed : state === 'on' && this.#fresh ? said.already : said[state];
      if (state === 'on') announce(sentence, 'urgent');
      else toast(sentence);
    }
    this.#fresh = false;
    this.#draw(maySwitch);
  }

  /** Lets the time in the banner run. */
  tick() {
    if (this.#state === 'off') return;
    const since = this.#state === 'paused' || this.#begun !== null
      ? `since ${clock(this.#since)} (${duration((Date.now() - this.#since) / 1000)})`
      : 'since before you joined';
    setText(part(this.#banner, 'since'), since);
  }

  #draw(maySwitch) {
    const { start, pause, stop } = this.buttons;
    const state = this.#state;
    const focused = [start, pause, stop].find((button) => button === document.activeElement);
    setShown(start, maySwitch && state !== 'on');
    setShown(pause, maySwitch && state === 'on');
    setShown(stop, maySwitch && state !== 'off');
    // The button one has just pressed may have gone: the keyboard stays in the same place.
    if (focused?.hidden) (state === 'on' ? pause : start).focus();
    const label = this.#kind === 'recording' ? ['Record', 'Resume recording'] : ['Transcribe', 'Resume transcript'];
    setText(start.querySelector('.control-label'), label[state === 'paused' ? 1 : 0]);
    for (const element of [this.#banner, this.#chip]) {
      element.dataset.state = state;
      setShown(element, state !== 'off');
    }
    if (state === 'off') return;
    setText(part(this.#banner, 'title'), this.#words[state]);
    const short = this.#kind === 'recording' ? 'REC' : 'Transcript';
    const text = state === 'paused' ? `${short} paused` : short;
    if (this.#chip.textContent !== text) {
      this.#chip.replaceChildren(icon(state === 'paused' ? 'pause' : this.#kind === 'recording' ? 'record' : 'text'), text);
    }
    this.tick();
  }
}
