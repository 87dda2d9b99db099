// Before the meeting: name and microphone. The same choice of microphone is offered again in a dialog inside.

import { byId, part, setShown, setText } from './view.js';
import { NAME_LIMIT, clip, microphoneProblem } from './text.js';
import { recall, remember } from './memory.js';

/** Fills a list of inputs. */
function fillDevices(select, microphone) {
  const options = microphone.devices.length > 0 ? microphone.devices : [{ id: '', label: microphone.state === 'opening' ? 'Asking the browser…' : 'No microphone' }];
  const now = JSON.stringify(options);
  if (select.dataset.options !== now) {
    select.dataset.options = now;
    select.replaceChildren(...options.map(({ id, label }) => new Option(label, id)));
  }
  if (options.some(({ id }) => id === microphone.deviceId)) select.value = microphone.deviceId;
  select.disabled = microphone.devices.length === 0;
}

/** Shows why there is no microphone, and what to do. */
function showProblem(notice, problem) {
  setShown(notice, problem !== null);
  if (problem === null) return;
  const [title, text] = microphoneProblem(problem, location.origin);
  notice.dataset.state = problem;
  setText(part(notice, 'title'), title);
  setText(part(notice, 'text'), text);
}

/** The form before joining and the microphone's dialog. */
export class Prejoin {
  #microphone;

  /**
   * @param {import('./microphone.js').Microphone} microphone
   * @param {(name: string) => void} join told the name when somebody wants in
   */
  constructor(microphone, join) {
    this.#microphone = microphone;
    const listenOnly = byId('listen-only');
    byId('join-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#name();
      if (name) join(name);
    });
    byId('name').addEventListener('input', () => this.#nameError(''));
    listenOnly.addEventListener('change', () => {
      if (listenOnly.checked) {
        microphone.close();
        this.refresh();
      } else {
        microphone.open();
      }
    });
    byId('mic-retry').addEventListener('click', () => microphone.open());
    byId('mic-retry-live').addEventListener('click', () => microphone.open());
    for (const id of ['microphone', 'microphone-live']) {
      byId(id).addEventListener('change', (event) => microphone.open({ deviceId: event.target.value }));
    }
    byId('original-sound').addEventListener('change', (event) => microphone.open({ original: event.target.checked }));
  }

  /** Nobody hears this participant because they chose so. */
  get listenOnly() {
    return byId('listen-only').checked;
  }

  /** Prepares the form for this meeting. */
  prepare(info) {
    const name = byId('name');
    name.value = info.suggested_name || recall('name');
    const facts = info.role === 'member'
      ? [`You join as a member of ${info.organisation}.`, ...(info.organiser ? ['You are the organiser of this meeting.'] : [])]
      : [`You join as a guest of ${info.organisation}.`, 'A member lets you in. Until then nobody hears you.'];
    facts.push('You are told whenever the meeting is recorded.');
    byId('prejoin-facts').replaceChildren(...facts.map((fact) => Object.assign(document.createElement('li'), { textContent: fact })));
    // Enter joins from here. Not on a touch screen, where the keyboard would cover the page.
    if (matchMedia('(pointer: fine)').matches) name.focus();
    this.refresh();
  }

  /** The join button while the server has not answered. */
  set joining(on) {
    const button = byId('join');
    button.disabled = on;
    setText(button, on ? 'Joining…' : 'Join now');
    button.setAttribute('aria-busy', String(on));
  }

  /** Why joining did not work; empty when it may. */
  set error(text) {
    const element = byId('join-error');
    setText(element, text);
    setShown(element, text !== '');
  }

  /** Shows the microphone as it is now. */
  refresh() {
    const microphone = this.#microphone;
    fillDevices(byId('microphone'), microphone);
    fillDevices(byId('microphone-live'), microphone);
    showProblem(byId('mic-error'), this.listenOnly ? null : microphone.problem);
    showProblem(byId('mic-error-live'), microphone.problem);
    setShown(byId('prejoin-microphone'), !this.listenOnly && microphone.problem === null);
    byId('prejoin-microphone').dataset.state = microphone.state;
    byId('original-sound').checked = microphone.original;
  }

  #name() {
    const name = clip(byId('name').value.trim(), NAME_LIMIT);
    if (name === '') {
      this.#nameError('Please tell the others your name.');
      byId('name').focus();
      return null;
    }
    remember('name', name);
    return name;
  }

  #nameError(text) {
    const element = byId('name-error');
    setText(element, text);
    setShown(element, text !== '');
    byId('name').setAttribute('aria-invalid', String(text !== ''));
  }
}
