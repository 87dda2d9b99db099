// The lobby as those see it who may admit (M-7): who waits, since when, and the two answers.

import { announce, byId, confirmed, fromTemplate, identityTags, part, reconcile, setShown, setText, tag, toast } from './view.js';
import { duration, initials, tone } from './text.js';
import { knock } from './sound.js';

/** The panel of those who wait. */
export class Lobby {
  #send;
  #known = new Map();
  #first = true;

  /** How many wait. */
  count = 0;

  /** @param {(message: object) => void} send */
  constructor(send) {
    this.#send = send;
    byId('lobby-list').addEventListener('click', (event) => {
      const button = event.target.closest('button[data-part]');
      if (button) this.#answer(button.closest('li'), button.dataset.part);
    });
    byId('admit-all').addEventListener('click', () => {
      byId('lobby-title').focus();
      this.#send({ type: 'admit-all' });
    });
  }

  /** Lets one in, by key: the one whose row has the keyboard, or, asked whether that is meant, the first. */
  async admitFirst() {
    const list = byId('lobby-list');
    const chosen = document.activeElement?.closest('#lobby-list > li');
    const row = chosen ?? list.querySelector('li:not([data-answered])');
    if (!row || row.dataset.answered) return;
    const name = part(row, 'name').textContent;
    const question = [`Admit ${name}?`, 'They hear the meeting at once, and everybody hears them.', 'Admit'];
    if (!chosen && !(await confirmed(question, { name }))) return;
    // Somebody else may have answered meanwhile.
    if (row.isConnected) this.#answer(row, 'admit');
  }

  /** Nobody is known any more: after leaving, or in another meeting. */
  reset() {
    this.#known.clear();
    this.#first = true;
    this.show({ participants: [], may_admit: false });
  }

  /** Shows those who wait in this state. */
  show(state) {
    const waiting = state.may_admit ? state.participants.filter((one) => one.state !== 'in' && one.id !== state.you) : [];
    waiting.sort((a, b) => (a.since ?? 0) - (b.since ?? 0));
    this.#attend(waiting, state.participants);
    this.count = waiting.length;
    // Taken before the rows move: an answered row goes away under the keyboard.
    const focusInside = byId('lobby-list').contains(document.activeElement);
    reconcile(byId('lobby-list'), waiting, (one) => one.id, () => this.#row(), (row, one) => this.#update(row, one));
    setShown(byId('lobby'), waiting.length > 0);
    setText(byId('lobby-count'), String(waiting.length));
    setShown(byId('admit-all'), waiting.length > 1);
    this.tick();
    if (focusInside && !byId('lobby-list').contains(document.activeElement)) {
      (byId('lobby-list').querySelector('[data-part="admit"]') ?? byId('meeting-title')).focus();
    }
  }

  /** Lets the waiting times run. */
  tick() {
    const now = Date.now();
    for (const row of byId('lobby-list').children) {
      setText(part(row, 'since'), duration((now - Number(row.dataset.since)) / 1000));
    }
  }

  #attend(waiting, everybody) {
    const arrived = waiting.filter((one) => !this.#known.has(one.id));
    const here = new Set(everybody.map((one) => one.id));
    const gone = [...this.#known].filter(([id]) => !here.has(id)).map(([, name]) => name);
    if (gone.length > 0) announce(gone.length === 1 ? `${gone[0]} no longer waits.` : `${gone.length} people no longer wait.`);
    this.#known = new Map(waiting.map((one) => [one.id, one.name]));
    if (arrived.length > 0) {
      const names = arrived.length === 1 ? `${arrived[0].name} is` : `${arrived.length} people are`;
      const sentence = `${names} waiting to join.`;
      // Those found waiting when one enters are told quietly. Later ones also where an open chat hides the panel.
      if (this.#first) {
        announce(sentence);
      } else {
        knock();
        toast(sentence, 'plain', arrived[0].name);
      }
    }
    this.#first = false;
  }

  #row() {
    return fromTemplate('lobby-row');
  }

  #update(row, one) {
    // Kept unless it is off by more than the rounding to whole seconds, so that the time does not jump about.
    const since = one.since ?? Date.now();
    if (!row.dataset.since || Math.abs(Number(row.dataset.since) - since) > 1500) row.dataset.since = String(Math.round(since));
    row.dataset.state = one.state;
    row.dataset.via = one.via;
    const signature = JSON.stringify([one.name, one.kind, one.via, one.state, one.reconnecting, one.device, one.from]);
    if (row.dataset.shown === signature) return;
    row.dataset.shown = signature;
    const avatar = row.querySelector('.avatar');
    setText(avatar, initials(one.name));
    avatar.dataset.tone = String(tone(one.id));
    setText(part(row, 'name'), one.name);
    part(row, 'tags').replaceChildren(
      ...identityTags(one),
      ...(one.reconnecting ? [tag('Reconnecting', { kind: 'warning', testid: 'reconnecting-mark' })] : []),
    );
    part(row, 'admit').setAttribute('aria-label', `Admit ${one.name}`);
    part(row, 'deny').setAttribute('aria-label', `Deny ${one.name}`);
  }

  #answer(row, type) {
    const id = row.dataset.id;
    row.dataset.answered = type;
    this.#send({ type, id });
    // If the server refuses, the row stays and can be answered again.
    setTimeout(() => delete row.dataset.answered, 2_000);
  }
}
