// The bar at the bottom and the keys that do the same.

import { byId, openDialog, setIcon, setLevel, setShown, setText } from './view.js';
import { shortcuts as list } from './text.js';
import { recall, remember } from './memory.js';

/** Louder than this for `SPEAKING_TICKS` of the last eight looks counts as speaking (the meter's scale). */
const SPEAKING_LEVEL = 0.4;
const SPEAKING_TICKS = 4;
const HINT_MS = 4_000;

/** Buttons, level and shortcuts. `acts` are what the buttons do. */
export class Controls {
  #acts;
  #loud = [];
  #hintUntil = 0;

  /** @param {Record<'mute'|'hand'|'chat'|'admitFirst'|'microphone'|'leave'|'end', () => void>} acts */
  constructor(acts) {
    this.#acts = acts;
    byId('mute').addEventListener('click', acts.mute);
    byId('hand').addEventListener('click', acts.hand);
    byId('chat-toggle').addEventListener('click', acts.chat);
    byId('microphone-open').addEventListener('click', acts.microphone);
    byId('leave').addEventListener('click', acts.leave);
    byId('end').addEventListener('click', acts.end);
    byId('shortcuts-open').addEventListener('click', () => openDialog(byId('shortcuts')));
    this.#prepareMore();
    this.#prepareShortcuts();
  }

  /** Shows the viewer's own state. */
  show({ muted, hasMicrophone, hand, mayEnd }) {
    const mute = byId('mute');
    mute.dataset.muted = String(muted);
    mute.dataset.state = hasMicrophone ? (muted ? 'muted' : 'open') : 'none';
    setIcon(mute, muted || !hasMicrophone ? 'mic-off' : 'mic');
    setText(mute.querySelector('.control-label'), hasMicrophone ? (muted ? 'Unmute' : 'Mute') : 'No microphone');
    const raise = byId('hand');
    raise.dataset.state = hand ? 'up' : 'down';
    setText(raise.querySelector('.control-label'), hand ? 'Lower hand' : 'Raise hand');
    setShown(byId('end'), mayEnd);
    if (!muted) setShown(byId('muted-hint'), false);
  }

  /** The chat's button. */
  showChat(open, unread) {
    const toggle = byId('chat-toggle');
    toggle.setAttribute('aria-expanded', String(open));
    toggle.dataset.state = open ? 'open' : 'closed';
    const badge = byId('chat-unread');
    setText(badge, unread > 99 ? '99+' : String(unread));
    setShown(badge, unread > 0);
    setShown(byId('chat-unread-word'), unread > 0);
  }

  /** Shows one's own level; called about ten times a second. */
  level(level, muted) {
    setLevel(byId('mute'), muted ? 0 : level);
    this.#loud = [...this.#loud.slice(-7), level > SPEAKING_LEVEL];
    const now = performance.now();
    if (muted && this.#loud.filter(Boolean).length >= SPEAKING_TICKS) this.#hintUntil = now + HINT_MS;
    setShown(byId('muted-hint'), muted && now < this.#hintUntil);
  }

  #prepareMore() {
    const toggle = byId('more-toggle');
    const set = (open) => {
      toggle.setAttribute('aria-expanded', String(open));
      byId('more').dataset.state = open ? 'open' : 'closed';
    };
    set(false);
    toggle.addEventListener('click', () => set(toggle.getAttribute('aria-expanded') !== 'true'));
    byId('more').addEventListener('click', (event) => {
      if (event.target.closest('button')) set(false);
    });
    byId('controls').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && toggle.getAttribute('aria-expanded') === 'true') {
        set(false);
        toggle.focus();
      }
    });
    addEventListener('pointerdown', (event) => {
      if (!byId('controls').contains(event.target)) set(false);
    });
  }

  #prepareShortcuts() {
    for (const [key, text] of list) {
      const term = document.createElement('dt');
      term.append(Object.assign(document.createElement('kbd'), { textContent: key }));
      const meaning = Object.assign(document.createElement('dd'), { textContent: text });
      byId('shortcut-list').append(term, meaning);
    }
    const on = byId('shortcuts-on');
    on.checked = recall('shortcuts', 'on') === 'on';
    on.addEventListener('change', () => remember('shortcuts', on.checked ? 'on' : 'off'));
    addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !on.checked) return;
      if (document.body.dataset.view !== 'meeting' || document.querySelector('dialog[open]')) return;
      if (event.target.closest?.('input, textarea, select, [role="menu"]')) return;
      const act = {
        m: this.#acts.mute,
        h: this.#acts.hand,
        c: this.#acts.chat,
        a: this.#acts.admitFirst,
        '?': () => openDialog(byId('shortcuts')),
      }[event.key.toLowerCase()];
      if (act) {
        event.preventDefault();
        act();
      }
    });
  }
}
