// The meeting's chat. A message is a text node, whatever is in it.

import { announce, byId, fromTemplate, identityTags, part, setShown, setText } from './view.js';
import { CHAT_LIMIT, clock, length, texted } from './text.js';

/** Lines kept on screen; older ones go. */
const MOST_LINES = 500;

/** From this many characters left on, the page counts. */
const COUNT_FROM = 300;

/** Still "at the end" when scrolled up by no more than this. */
const END_PX = 48;

/** The chat panel. */
export class Chat {
  #send;
  #changed;
  #seen = new Set();
  #you = null;
  #unsent = '';

  /** Earlier lines, which come when one enters, are not read out: until this time. */
  quietUntil = 0;

  /** Lines that came while the panel was closed. */
  unread = 0;

  /**
   * @param {(message: object) => boolean} send
   * @param {() => void} changed told when the panel opens or closes or `unread` is another
   */
  constructor(send, changed) {
    this.#send = send;
    this.#changed = changed;
    const input = byId('chat-input');
    byId('chat-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    input.addEventListener('input', () => this.#measure());
    input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter takes its suggestion and does not send.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    byId('chat').addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.toggle(false);
    });
    byId('chat-close').addEventListener('click', () => this.toggle(false));
  }

  /** True while the panel is open. */
  get open() {
    return !byId('chat').hidden;
  }

  /** Opens or closes the panel and takes the keyboard along. */
  toggle(open = !this.open) {
    if (open === this.open) return;
    setShown(byId('chat'), open);
    if (open) {
      this.unread = 0;
      this.#measure();
      this.#toEnd();
      byId('chat-input').focus();
    } else {
      byId('chat-toggle').focus();
    }
    this.#changed();
  }

  /** There may be too many people in the meeting for a chat (M-14). */
  set allowed(on) {
    const input = byId('chat-input');
    if (input.disabled !== on) return;
    input.disabled = !on;
    this.#measure();
  }

  /** A new meeting: nothing earlier is readable (C-1). */
  reset() {
    this.#seen.clear();
    this.#unsent = '';
    this.unread = 0;
    byId('chat-lines').replaceChildren();
    setShown(byId('chat-empty'), true);
    setShown(byId('chat'), false);
    byId('chat-input').value = '';
    this.#changed();
  }

  /** Whose lines are one's own. A new seat has a new id; one's older lines stay marked. */
  set you(id) {
    this.#you = id;
  }

  /** Shows a line; one that came before (after a reconnection) is not shown again. */
  add(line) {
    const key = `${line.id}@${line.at}`;
    if (this.#seen.has(key)) {
      if (line.texted) this.texted(line.id, line.texted);
      return;
    }
    this.#seen.add(key);
    const mine = line.from === this.#you;
    const atEnd = this.#isAtEnd();
    const row = fromTemplate('chat-line');
    Object.assign(row.dataset, { id: String(line.id), kind: line.kind, mine: String(mine) });
    setText(part(row, 'name'), mine ? 'You' : line.name);
    part(row, 'tags').replaceChildren(...identityTags({ kind: line.kind, sms: line.sms }));
    const time = part(row, 'time');
    time.dateTime = new Date(line.at).toISOString();
    setText(time, clock(line.at));
    setText(part(row, 'text'), line.text);
    if (line.texted) showTexted(row, line.texted);
    const list = byId('chat-lines');
    list.append(row);
    while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
    setShown(byId('chat-empty'), false);
    if (mine) this.#unsent = '';
    if (this.open && (atEnd || mine)) this.#toEnd();
    if (!mine && performance.now() > this.quietUntil) announce(`${line.name}: ${line.text.slice(0, 200)}`);
    if (!this.open && !mine) {
      this.unread += 1;
      this.#changed();
    }
  }

  /** A line has come further on its way to phones, by SMS. */
  texted(id, counts) {
    const row = byId('chat-lines').querySelector(`[data-id="${Number(id)}"]`);
    if (!row) return;
    const atEnd = this.#isAtEnd();
    showTexted(row, counts);
    if (this.open && atEnd) this.#toEnd();
  }

  /** The last message was refused: it goes back to where it can be mended. */
  giveBack() {
    const input = byId('chat-input');
    if (this.#unsent && input.value === '') {
      input.value = this.#unsent;
      this.#measure();
    }
    this.#unsent = '';
  }

  #submit() {
    const input = byId('chat-input');
    const text = input.value.trim();
    if (text === '' || length(text) > CHAT_LIMIT) return;
    if (!this.#send({ type: 'chat', text })) {
      setText(byId('chat-hint'), 'Not sent: the connection is lost. Your text is kept.');
      return;
    }
    this.#unsent = text;
    input.value = '';
    this.#measure();
  }

  #measure() {
    const input = byId('chat-input');
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
    const left = CHAT_LIMIT - length(input.value.trim());
    setText(byId('chat-hint'), left < 0 ? `${-left} characters too many` : left <= COUNT_FROM ? `${left} characters left` : '');
    byId('chat-hint').dataset.state = left < 0 ? 'over' : 'ok';
    if (input.disabled) setText(byId('chat-hint'), 'The chat is off: there are too many people in the meeting for it.');
    byId('chat-send').disabled = left < 0 || input.disabled;
    input.setAttribute('aria-invalid', String(left < 0));
  }

  #isAtEnd() {
    const scroll = byId('chat-scroll');
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < END_PX;
  }

  #toEnd() {
    const scroll = byId('chat-scroll');
    scroll.scrollTop = scroll.scrollHeight;
  }
}

function showTexted(row, counts) {
  const line = part(row, 'texted');
  const { state, words } = texted(counts);
  line.dataset.state = state;
  setText(line, words);
  setShown(line, words !== '');
}
