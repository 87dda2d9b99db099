// Who reads the chat by SMS around a phone, for those who may admit: whoever has texted its code is confirmed or refused, and whoever
// reads can be removed (C-2, M-7).

import { announce, byId, confirmed, fromTemplate, part, reconcile, setShown, setText, tag, toast } from './view.js';
import { knock } from './sound.js';

/** The readers of all phones in the roster. */
export class Readers {
  #send;
  #known = new Set();
  #first = true;

  /** @param {(message: object) => void} send */
  constructor(send) {
    this.#send = send;
    byId('roster').addEventListener('click', (event) => {
      const button = event.target.closest('[data-part="readers"] button[data-part]');
      if (button) this.#answer(button.closest('[data-part="readers"] > li'), button.dataset.part);
    });
  }

  /** Nobody is known any more: after leaving, or in another meeting. */
  reset() {
    this.#known.clear();
    this.#first = true;
  }

  /** Tells of those who want to read since the last state. */
  attend(state) {
    const pending = state.participants.flatMap((one) => (one.join?.readers ?? []).filter((reader) => reader.state === 'pending').map((reader) => [reader, one]));
    for (const [reader, one] of pending) {
      if (this.#known.has(reader.id)) continue;
      const sentence = `${reader.number} wants to read the chat by SMS, beside ${one.name}.`;
      if (this.#first) {
        announce(sentence);
      } else {
        knock();
        toast(sentence);
      }
    }
    this.#known = new Set(pending.map(([reader]) => reader.id));
    this.#first = false;
  }

  /** Shows those of one phone in its row. */
  update(row, one) {
    const list = part(row, 'readers');
    const readers = one.join?.readers ?? [];
    const hadFocus = list.contains(document.activeElement);
    reconcile(list, readers, (reader) => reader.id, () => fromTemplate('reader-row'), (item, reader) => this.#update(item, reader, one));
    setShown(list, readers.length > 0);
    list.setAttribute('aria-label', `Readers by SMS beside ${one.name}`);
    if (hadFocus && !list.contains(document.activeElement)) byId('meeting-title').focus();
  }

  #update(item, reader, one) {
    item.dataset.state = reader.state;
    item.dataset.participant = one.id;
    item.dataset.number = reader.number;
    setText(part(item, 'number'), reader.number);
    part(item, 'tags').replaceChildren(reader.state === 'pending'
      ? tag('Wants to read by SMS', { kind: 'warning', testid: 'reader-pending' })
      : tag('Reads by SMS', { testid: 'reader-on' }));
    setShown(part(item, 'confirm'), reader.state === 'pending');
    setText(part(item, 'remove').querySelector('span'), reader.state === 'pending' ? 'Refuse' : 'Remove');
    part(item, 'confirm').setAttribute('aria-label', `Let ${reader.number} read the chat by SMS`);
    part(item, 'remove').setAttribute('aria-label', `${reader.state === 'pending' ? 'Refuse' : 'Remove'} the reader ${reader.number}`);
  }

  async #answer(item, act) {
    const { id: reader, participant: id, state, number } = item.dataset;
    if (act === 'confirm') {
      this.#send({ type: 'confirm-reader', id, reader });
      return;
    }
    const question = [`Remove ${number}?`, 'They get this chat by SMS no longer, and the code that they know is void: the phone has another one then.', 'Remove'];
    if (state === 'pending' || (await confirmed(question, { danger: true }))) this.#send({ type: 'remove-reader', id, reader });
  }
}
