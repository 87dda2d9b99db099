// The door of the meeting: the passcode that a guest is asked for, and the way out for a member who has entered by a link.

import { byId, setShown, setText } from './view.js';

const WORDS = {
  'wrong-passcode': 'That is not the passcode of this meeting. Check it and try again.',
  locked: 'Too many wrong passcodes. Please wait a few minutes before you try again.',
};

/** The passcode's field, and signing out. */
export class Door {
  #base;
  #asked = false;

  /** @param {string} base the meeting's own address */
  constructor(base) {
    this.#base = base;
    byId('passcode').addEventListener('input', () => this.#error(''));
    byId('sign-out').addEventListener('click', () => this.#signOut());
  }

  /** Prepares the form for this meeting. */
  prepare(info) {
    this.#asked = info.passcode === true;
    setShown(byId('passcode-field'), this.#asked);
    setShown(byId('sign-out'), info.role === 'member');
  }

  /** Opens the door; false, and why is shown, if it stays shut. */
  async open() {
    if (!this.#asked) return true;
    const passcode = byId('passcode').value.replace(/\s/g, '');
    if (passcode === '') return this.#shut('This meeting has a passcode. It is in your invitation.');
    let answer;
    try {
      answer = await fetch(`${this.#base}/passcode`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        credentials: 'same-origin',
        body: JSON.stringify({ passcode }),
      });
    } catch {
      return this.#shut('The server does not answer. Check your connection and try again.');
    }
    if (answer.ok) {
      this.#asked = false;
      byId('passcode').value = '';
      setShown(byId('passcode-field'), false);
      return true;
    }
    const problem = await answer.json().catch(() => ({}));
    return this.#shut(WORDS[problem.code] ?? problem.detail ?? 'Something went wrong. Please try again.');
  }

  #shut(text) {
    this.#error(text);
    byId('passcode').focus();
    return false;
  }

  #error(text) {
    setText(byId('passcode-error'), text);
    setShown(byId('passcode-error'), text !== '');
    byId('passcode').setAttribute('aria-invalid', String(text !== ''));
  }

  async #signOut() {
    try {
      await fetch(`${this.#base}/sign-out`, { method: 'POST', credentials: 'same-origin' });
    } finally {
      location.reload();
    }
  }
}
