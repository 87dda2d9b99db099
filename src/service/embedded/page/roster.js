// Who is inside: one card each, with the marks of M-3 and the signs of the moment.

import { announce, byId, confirmed, fromTemplate, icon, identityTags, part, reconcile, setIcon, setShown, setText, tag, toast } from './view.js';
import { anyOf, initials, tone } from './text.js';
import { Readers } from './readers.js';

/** Above this many the cards become rows and a search field appears. */
const MANY = 24;

/** Of more who come or go at once, only the number is said. */
const MOST_NAMES = 3;

/** Up to this many the cards are large. */
const FEW = 6;

/** Its owner has closed this microphone, and opens it alone. */
const isOwners = (one) => one.muted_by === 'owner' || one.muted_by === 'both';

/** The people in the meeting and the menu on each of them. */
export class Roster {
  #send;
  #readers;
  #state = null;
  #speaking = new Set();
  #menuFor = null;
  #menuButton = null;
  /** Those inside as they were told of last, by id; null before anybody was. */
  #told = null;

  /** People around a phone can have the chat by SMS. */
  sms = false;

  /** @param {(message: object) => void} send */
  constructor(send) {
    this.#send = send;
    this.#readers = new Readers(send);
    byId('roster-filter').addEventListener('input', () => this.#draw());
    byId('roster').addEventListener('click', (event) => {
      const button = event.target.closest('[data-part="menu"]');
      if (button) this.#openMenu(button);
    });
    byId('person-mute').addEventListener('click', () => this.#choose((one) => {
      this.#send({ type: 'mute', id: one.id, on: !one.muted });
      // Nobody opens what its owner has closed (K-4).
      if (isOwners(one)) toast(`${one.name} is asked to unmute.`);
    }));
    byId('person-remove').addEventListener('click', () => this.#choose(async (one) => {
      const question = [`Remove ${one.name}?`, 'They leave the meeting at once and are told why.', 'Remove'];
      if (await confirmed(question, { danger: true, name: one.name })) this.#send({ type: 'remove', id: one.id });
    }));
    const menu = byId('person-menu');
    menu.addEventListener('keydown', (event) => this.#menuKey(event));
    menu.addEventListener('focusout', (event) => {
      if (!menu.contains(event.relatedTarget)) this.#closeMenu(false);
    });
    addEventListener('pointerdown', (event) => {
      if (!menu.hidden && !menu.contains(event.target) && !this.#menuButton?.contains(event.target)) this.#closeMenu(false);
    });
  }

  /** Whoever is shown next was there before: a new presence. */
  reset() {
    this.#told = null;
    this.#readers.reset();
  }

  /** Shows those inside, and says who has come and gone and whose hand is up. */
  show(state) {
    this.#state = state;
    this.#tell(state);
    this.#readers.attend(state);
    this.#draw();
  }

  /** Marks who speaks. */
  speaking(ids) {
    if (ids.length === this.#speaking.size && ids.every((id) => this.#speaking.has(id))) return;
    this.#speaking = new Set(ids);
    for (const row of byId('roster').children) row.dataset.speaking = String(this.#speaking.has(row.dataset.id) && row.dataset.state !== 'reconnecting');
  }

  #tell(state) {
    const inside = state.participants.filter((one) => one.state === 'in');
    const before = this.#told;
    this.#told = new Map(inside.map(({ id, name, hand }) => [id, { name, hand }]));
    if (before === null) return;
    const others = inside.filter((one) => one.id !== state.you);
    const say = (names, one, many) => {
      if (names.length > 0) announce(names.length > MOST_NAMES ? many(names.length) : one(anyOf(names, 'and')));
    };
    const entered = others.filter((one) => !before.has(one.id)).map((one) => one.name);
    const left = [...before].filter(([id]) => !this.#told.has(id)).map(([, one]) => one.name);
    const raised = others.filter((one) => one.hand && !before.get(one.id)?.hand).map((one) => one.name);
    const lowered = others.filter((one) => !one.hand && before.get(one.id)?.hand).map((one) => one.name);
    say(entered, (names) => `${names} joined.`, (count) => `${count} people joined.`);
    say(left, (names) => `${names} left.`, (count) => `${count} people left.`);
    say(raised, (names) => `${names} raised a hand.`, (count) => `${count} people raised a hand.`);
    say(lowered, (names) => `${names} lowered the hand.`, (count) => `${count} people lowered their hands.`);
    const [was, is] = [before.get(state.you)?.hand, this.#told.get(state.you)?.hand];
    if (was !== undefined && is !== undefined && was !== is) announce(is ? 'Your hand is up.' : 'Your hand is down.');
  }

  #draw() {
    const state = this.#state;
    if (!state) return;
    const inside = state.participants.filter((one) => one.state === 'in');
    const many = inside.length > MANY;
    setShown(byId('roster-tools'), many);
    const wanted = many ? byId('roster-filter').value.trim().toLocaleLowerCase() : '';
    const rank = (one) => (one.id === state.you ? 0 : one.hand ? 1 : 2);
    const shown = inside.filter((one) => one.name.toLocaleLowerCase().includes(wanted)).sort((a, b) => rank(a) - rank(b));
    const list = byId('roster');
    list.dataset.size = many ? 'many' : inside.length > FEW ? 'some' : 'few';
    reconcile(list, shown, (one) => one.id, () => fromTemplate('roster-row'), (row, one) => this.#update(row, one));
    setShown(byId('alone'), inside.length === 1);
    if (this.#menuFor && !inside.some((one) => one.id === this.#menuFor)) this.#closeMenu(false);
  }

  #update(row, one) {
    const you = one.id === this.#state.you;
    // Of one whose connection is lost nobody knows.
    row.dataset.speaking = String(this.#speaking.has(one.id) && !one.reconnecting);
    const signature = JSON.stringify([one, you, this.#state.may_admit]);
    if (row.dataset.shown === signature) return;
    row.dataset.shown = signature;
    Object.assign(row.dataset, {
      state: one.reconnecting ? 'reconnecting' : one.on_hold ? 'on-hold' : 'in',
      kind: one.kind,
      via: one.via,
      muted: String(one.muted),
      hand: String(one.hand),
      you: String(you),
    });
    const avatar = row.querySelector('.avatar');
    setText(avatar, initials(one.name));
    avatar.dataset.tone = String(tone(one.id));
    setText(part(row, 'name'), one.name);
    part(row, 'tags').replaceChildren(
      ...(you ? [tag('You', { kind: 'you', testid: 'you-mark' })] : []),
      ...(one.organiser ? [tag('Organiser', { testid: 'organiser-mark' })] : []),
      ...identityTags(one),
      ...(one.join && this.sms ? [tag(`SMS code ${one.join.code}`, { testid: 'sms-code' })] : []),
      ...(one.on_hold ? [tag('On hold', { kind: 'warning', testid: 'on-hold', iconName: 'hold' })] : []),
      ...(one.reconnecting ? [tag('Reconnecting', { kind: 'warning', testid: 'reconnecting-mark' })] : []),
    );
    const hint = part(row, 'hint');
    if (one.join && this.sms) setText(hint, `For the chat by SMS, text it to ${one.join.to}.`);
    setShown(hint, Boolean(one.join && this.sms));
    const sign = (name, label, testid) => {
      const element = document.createElement('span');
      element.className = `sign sign-${testid}`;
      element.dataset.testid = testid;
      element.append(icon(name, label));
      return element;
    };
    part(row, 'signs').replaceChildren(
      ...(one.hand ? [sign('hand', 'Hand raised', 'hand-mark')] : []),
      ...(one.muted ? [sign('mic-off', 'Microphone off', 'muted-mark')] : []),
    );
    this.#readers.update(row, one);
    const menu = part(row, 'menu');
    setShown(menu, this.#state.may_admit && !you);
    setText(menu.querySelector('.visually-hidden'), `Actions for ${one.name}`);
  }

  #openMenu(button) {
    const menu = byId('person-menu');
    if (this.#menuButton === button) {
      this.#closeMenu(true);
      return;
    }
    this.#closeMenu(false);
    const one = this.#find(button.closest('li').dataset.id);
    if (!one) return;
    this.#menuFor = one.id;
    this.#menuButton = button;
    button.setAttribute('aria-expanded', 'true');
    setText(byId('person-mute').querySelector('span'), one.muted ? (isOwners(one) ? 'Ask to unmute' : 'Let them speak') : 'Mute');
    setIcon(byId('person-mute'), one.muted ? 'mic' : 'mic-off');
    menu.setAttribute('aria-label', `Actions for ${one.name}`);
    setShown(menu, true);
    const at = button.getBoundingClientRect();
    const size = menu.getBoundingClientRect();
    const below = at.bottom + 4 + size.height < innerHeight;
    menu.style.left = `${Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8))}px`;
    menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - size.height - 4)}px`;
    byId('person-mute').focus();
  }

  #closeMenu(backToButton) {
    const button = this.#menuButton;
    this.#menuFor = this.#menuButton = null;
    button?.setAttribute('aria-expanded', 'false');
    setShown(byId('person-menu'), false);
    if (backToButton) button?.focus();
  }

  #choose(act) {
    const one = this.#find(this.#menuFor);
    this.#closeMenu(true);
    if (one) act(one);
  }

  #find(id) {
    return this.#state?.participants.find((one) => one.id === id);
  }

  #menuKey(event) {
    const items = [...byId('person-menu').querySelectorAll('[role="menuitem"]')];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      items[to % items.length].focus();
    } else if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      this.#closeMenu(true);
    }
  }
}
