// What all parts of the page share: finding elements, changing views, speaking to screen readers, toasts, questions, tags.
// Names and messages of others become text nodes only; nothing here takes markup.

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

/** Says a sentence to screen readers; `urgent` interrupts what they are reading. */
export function announce(text, urgency = 'polite') {
  const region = byId(`announce-${urgency}`);
  region.textContent = '';
  // The same sentence twice is only heard twice if the region was empty between.
  setTimeout(() => setText(region, text), 60);
}

const TOAST_MS = 6_000;
const MOST_TOASTS = 3;

/** A short message that goes by itself. `kind`: plain or problem. */
export function toast(text, kind = 'plain') {
  const list = byId('toasts');
  const element = document.createElement('p');
  element.className = `toast toast-${kind}`;
  element.dataset.testid = 'toast';
  element.textContent = text;
  list.append(element);
  while (list.childElementCount > MOST_TOASTS) list.firstElementChild.remove();
  setTimeout(() => element.remove(), TOAST_MS);
  announce(text, kind === 'problem' ? 'urgent' : 'polite');
}

/** Asks a question; true if it was answered with the named act. Escape and Cancel are no. */
export function confirmed([title, text, act], { danger = false } = {}) {
  const dialog = byId('confirm');
  if (dialog.open) return Promise.resolve(false);
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  const ok = byId('confirm-ok');
  setText(ok, act);
  ok.classList.toggle('danger', danger);
  ok.classList.toggle('primary', !danger);
  dialog.returnValue = 'cancel';
  dialog.showModal();
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
