// Calls a room's phone into the meeting: a member picks the room and is told how it goes. Whoever answers there presses 1 and then
// waits in the lobby like anybody.

import { byId, fromTemplate, openDialog, part, reconcile, setShown, setText, toast } from './view.js';
import { roomCall } from './text.js';

/** States after which a room can be called again. */
const OVER = new Set(['knocked', 'declined', 'no-answer', 'busy', 'not-reachable', 'cancelled', 'failed']);

/** The dialog of the rooms that can be called. */
export class Rooms {
  #api;
  #calls = new Map();
  /** The names of the calls that were asked for here, by room. */
  #names = new Map();
  #rooms = [];

  /** @param {string} api the meeting's address in the API */
  constructor(api) {
    this.#api = api;
    byId('rooms-filter').addEventListener('input', () => this.#draw());
    // Enter looks for nothing more than what is shown; it does not close the dialog.
    byId('rooms-filter').addEventListener('keydown', (event) => event.key === 'Enter' && event.preventDefault());
    byId('call-room').addEventListener('click', () => this.#open());
    byId('rooms-list').addEventListener('click', (event) => {
      const button = event.target.closest('[data-part="call"]');
      const room = button?.closest('li').dataset.id;
      if (button && this.#isBusy(room)) this.#cancel(room);
      else if (button) this.#call(room);
    });
  }

  /** Nothing is known any more: after leaving, or in another meeting. */
  reset() {
    this.#calls.clear();
    this.#names.clear();
  }

  /** Shows the control to those who may use it. */
  show(state) {
    setShown(byId('call-room'), state.may_call_rooms);
  }

  /** How the call to a room goes. */
  told({ device, name, state }) {
    this.#calls.set(device, state);
    if (OVER.has(state)) this.#names.delete(device);
    this.#draw();
    const words = roomCall[state] ?? roomCall.failed;
    if (state !== 'calling') toast(words.toast(name), words.problem ? 'problem' : 'plain', name);
  }

  async #open() {
    byId('rooms-filter').value = '';
    openDialog(byId('rooms-dialog'));
    setText(byId('rooms-note'), 'Looking for rooms…');
    setShown(byId('rooms-note'), true);
    this.#rooms = [];
    this.#draw();
    try {
      const response = await fetch(`${this.#api}/devices`, { headers: { accept: 'application/json' }, credentials: 'same-origin' });
      if (!response.ok) throw new Error(String(response.status));
      this.#rooms = (await response.json()).devices.sort((a, b) => a.name.localeCompare(b.name, [], { numeric: true, sensitivity: 'base' }));
      setText(byId('rooms-note'), this.#rooms.length > 0 ? '' : 'No rooms are set up. Whoever runs Roomgate can add them as devices.');
    } catch {
      setText(byId('rooms-note'), 'The list of rooms cannot be had at the moment. Close this and try again.');
    }
    this.#draw();
  }

  async #call(device) {
    const before = this.#calls.get(device);
    this.#calls.set(device, 'calling');
    this.#draw();
    let problem = 'The room cannot be called: the connection is lost for the moment.';
    try {
      const response = await fetch(`${this.#api}/invite`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        credentials: 'same-origin',
        body: JSON.stringify({ device }),
      });
      if (response.ok) {
        const { call } = await response.json();
        // It may be over by now.
        if (this.#isBusy(device)) this.#names.set(device, call);
        this.#draw();
        return;
      }
      problem = (await response.json()).detail ?? problem;
    } catch {
      // Said below.
    }
    this.#calls.set(device, before);
    this.#draw();
    toast(problem, 'problem');
  }

  /** Stops the call that was asked for here; what becomes of it the server tells. */
  async #cancel(device) {
    const name = this.#names.get(device);
    if (name === undefined) return;
    try {
      const address = this.#api.replace(/\/meetings\/[^/]+$/, `/calls/${name}`);
      const response = await fetch(address, { method: 'DELETE', credentials: 'same-origin' });
      if (response.ok || response.status === 404) return;
    } catch {
      // Said below.
    }
    toast('The call could not be stopped. Try again.', 'problem');
  }

  #isBusy(device) {
    const state = this.#calls.get(device);
    return state !== undefined && !OVER.has(state);
  }

  #draw() {
    setShown(byId('rooms-tools'), this.#rooms.length > 1);
    const wanted = byId('rooms-filter').value.trim().toLocaleLowerCase();
    const shown = this.#rooms.filter((room) => room.name.toLocaleLowerCase().includes(wanted));
    if (this.#rooms.length > 0) setText(byId('rooms-note'), shown.length > 0 ? '' : 'No room has a name like that.');
    setShown(byId('rooms-note'), byId('rooms-note').textContent !== '');
    reconcile(byId('rooms-list'), shown, (room) => room.id, () => fromTemplate('room-row'), (row, room) => {
      const state = this.#calls.get(room.id);
      const stoppable = this.#isBusy(room.id) && this.#names.has(room.id);
      setText(part(row, 'name'), room.name);
      const idle = room.in_use ? 'In use: a call is up there' : room.reachable ? '' : 'Not registered at the moment';
      setText(part(row, 'state'), state ? (roomCall[state] ?? roomCall.failed).row : idle);
      row.dataset.state = state ?? '';
      row.dataset.inUse = String(room.in_use);
      const call = part(row, 'call');
      call.disabled = !stoppable && (this.#isBusy(room.id) || !room.reachable);
      setText(call.querySelector('span'), stoppable ? 'Cancel' : 'Call');
      call.setAttribute('aria-label', stoppable ? `Cancel the call to ${room.name}` : `Call ${room.name}`);
    });
  }
}
