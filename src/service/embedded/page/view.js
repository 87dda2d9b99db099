// What all parts of the page share: finding elements, changing views, speaking to screen readers, toasts, questions, tags.
// Names and messages of others become text nodes only; nothing here takes markup.

import { provenBy } from './text.js';

/** The element with this id; the page is broken without it, so it is never null. */
export const byId = (id) => document.getElementById(id);

/** The named part of a row, banner or notice. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** The first element of a template's copy. */
export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Writes a text only if it is another one, so that live regions and selections stay calm. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides. */
export function setShown(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

const SVG = 'http://www.w3.org/2000/svg';

/** One of the page's own icons. With a label it is an image to screen readers, without one it is decoration. */
export function icon(name, label = '') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
    const title = document.createElementNS(SVG, 'title');
    title.textContent = label;
    svg.append(title);
  } else {
    svg.setAttribute('aria-hidden', 'true');
  }
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Points a control's icon at another symbol. */
export function setIcon(root, name) {
  const use = root.querySelector('use');
  if (use.getAttribute('href') !== `#i-${name}`) use.setAttribute('href', `#i-${name}`);
}

/** A small word with an optional icon. */
export function tag(text, { kind = 'plain', testid, iconName } = {}) {
  const element = document.createElement('span');
  element.className = `tag tag-${kind}`;
  if (testid) element.dataset.testid = testid;
  if (iconName) element.append(icon(iconName));
  element.append(text);
  return element;
}

/** The marks every place shows alike: external (M-3) and phone. */
export function identityTags(participant) {
  const tags = [];
  if (participant.kind === 'external') tags.push(tag('External', { kind: 'external', testid: 'external-mark' }));
  if (participant.via === 'phone') tags.push(tag('Phone', { testid: 'phone-mark', iconName: 'phone' }));
  if (participant.device) tags.push(tag(`Known device, by ${provenBy(participant.device.proven_by)}`, { testid: 'known-device', iconName: 'check' }));
  if (participant.from) tags.push(tag(`From ${participant.from}`, { testid: 'from-mark' }));
  if (participant.sms) tags.push(tag(`SMS ${participant.sms}`, { testid: 'sms-mark' }));
  return tags;
}

const VIEWS = ['loading', 'prejoin', 'waiting', 'meeting', 'ended'];

/** Shows one view and moves the keyboard to its heading, so that the change is heard. */
export function show(view) {
  if (document.body.dataset.view === view) return;
  document.body.dataset.view = view;
  for (const name of VIEWS) setShown(byId(`view-${name}`), name === view);
  document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
  byId(`view-${view}`).querySelector('h1')?.focus({ preventScroll: true });
}

/** Fills every place that shows a fact of the meeting, such as its title. */
export function fill(facts) {
  for (const element of document.querySelectorAll('[data-fill]')) setText(element, facts[element.dataset.fill] ?? '');
}

/** Sentences that may wait to be said. Of more, the oldest of those that are not urgent is left out. */
const MOST_SENTENCES = 40;

/** A region is empty for this long before a sentence: the same one twice is only heard twice so, and a region that was moved is known by then. */
const EMPTY_MS = 100;

/** How long a sentence stays alone: until a screen reader has taken it up, and an urgent one, which interrupts, until it is read. */
const STAYS_MS = { polite: (text) => Math.min(1_500, 400 + 15 * text.length), urgent: (text) => Math.min(4_000, 800 + 45 * text.length) };

const sentences = [];

/** The sentence that is being said, and the wait for the next. */
let saying = null;
let sayTimer = 0;

/** Says a sentence to screen readers after those before it; `urgent` goes first and interrupts what they are reading. */
export function announce(text, urgency = 'polite') {
  const calm = sentences.findIndex((one) => one.urgency !== 'urgent');
  if (urgency === 'urgent' && calm >= 0) sentences.splice(calm, 0, { text, urgency });
  else sentences.push({ text, urgency });
  if (sentences.length > MOST_SENTENCES) sentences.splice(Math.max(0, sentences.findIndex((one) => one.urgency !== 'urgent')), 1);
  if (!saying) sayNext();
}

function sayNext() {
  saying = sentences.shift() ?? null;
  if (saying) say(saying);
}

function say({ text, urgency }) {
  clearTimeout(sayTimer);
  const region = byId(`announce-${urgency}`);
  // Whatever is outside an open dialog is inert, and so unheard.
  const place = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body;
  if (region.parentElement !== place) place.append(region);
  region.textContent = '';
  sayTimer = setTimeout(() => {
    region.textContent = text;
    sayTimer = setTimeout(sayNext, STAYS_MS[urgency](text));
  }, EMPTY_MS);
}

/** Opens a dialog. A screen reader turns to it at once: what was being said is said again in there. */
export function openDialog(dialog) {
  dialog.showModal();
  if (saying) say(saying);
}

for (const dialog of document.querySelectorAll('dialog')) {
  // A closed dialog is not heard either.
  dialog.addEventListener('close', () => {
    if (saying) say(saying);
  });
}

/** Writes a text in which a name keeps its own direction. */
export function setNamed(element, text, name = '') {
  const at = name ? text.indexOf(name) : -1;
  if (at < 0) return setText(element, text);
  const own = document.createElement('bdi');
  own.textContent = name;
  return element.replaceChildren(text.slice(0, at), own, text.slice(at + name.length));
}

const TOAST_MS = 6_000;
const MOST_TOASTS = 3;

/** A short message that goes by itself. `kind`: plain or problem; `name` is one that stands in it. */
export function toast(text, kind = 'plain', name = '') {
  const list = byId('toasts');
  const element = document.createElement('p');
  element.className = `toast toast-${kind}`;
  element.dataset.testid = 'toast';
  setNamed(element, text, name);
  list.append(element);
  while (list.childElementCount > MOST_TOASTS) list.firstElementChild.remove();
  setTimeout(() => element.remove(), TOAST_MS);
  announce(text, kind === 'problem' ? 'urgent' : 'polite');
}

/** Asks a question; true if it was answered with the named act. Escape and Cancel are no. */
export function confirmed([title, text, act], { danger = false, name = '' } = {}) {
  const dialog = byId('confirm');
  if (dialog.open) return Promise.resolve(false);
  setNamed(byId('confirm-title'), title, name);
  setText(byId('confirm-text'), text);
  const ok = byId('confirm-ok');
  setText(ok, act);
  ok.classList.toggle('danger', danger);
  ok.classList.toggle('primary', !danger);
  dialog.returnValue = 'cancel';
  openDialog(dialog);
  ok.focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'ok'), { once: true });
  });
}

/** Makes the children of `list` those of `items`, in that order, keeping the rows that stay (and with them focus and scroll). */
export function reconcile(list, items, key, create, update) {
  const before = new Map([...list.children].map((row) => [row.dataset.id, row]));
  let place = list.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let row = before.get(id);
    before.delete(id);
    if (!row) {
      row = create(item);
      row.dataset.id = id;
    }
    update(row, item);
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
  for (const row of before.values()) row.remove();
}

/** Where a level from 0 to 1 is shown. Set by script as a custom property: the page's policy forbids style attributes. */
export function setLevel(element, level) {
  element.style.setProperty('--level', level.toFixed(3));
}
