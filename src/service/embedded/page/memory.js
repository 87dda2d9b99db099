// What the browser remembers between visits. A browser that refuses storage costs nothing but the memory.

const PREFIX = 'roomgate.';

/** A remembered word, or the given one. */
export function recall(key, otherwise = '') {
  try {
    return localStorage.getItem(PREFIX + key) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remembers a word on this machine. */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Private windows may refuse; the setting then lasts as long as the page.
  }
}

/** A seat is kept for 60 s after the connection is lost (M-5). */
export const SEAT_KEPT_MS = 60_000;

/** Leaves the seat's token for the same tab, so that a reload within M-5's 60 s comes back to the same seat. `page` is its path. */
export function leaveToken(page, token) {
  try {
    sessionStorage.setItem(`${PREFIX}seat.${page}`, JSON.stringify({ token, at: Date.now() }));
  } catch {
    // The reload then knocks again like anybody.
  }
}

/** Takes the token a reload left, once: a duplicated tab must not pull the seat away a second time. */
export function takeToken(page) {
  try {
    const key = `${PREFIX}seat.${page}`;
    const kept = JSON.parse(sessionStorage.getItem(key) ?? 'null');
    sessionStorage.removeItem(key);
    return kept && typeof kept.token === 'string' && Date.now() - kept.at < SEAT_KEPT_MS ? kept.token : null;
  } catch {
    return null;
  }
}

/** By which the meetings know this browser again: random, of its own making. */
export function browserKey() {
  const known = recall('key');
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  remember('key', key);
  return key;
}

/** Whether this tab's microphone was closed by its owner when it was last in the meeting (K-4). */
export function wasMuted(meeting) {
  try {
    return sessionStorage.getItem(`${PREFIX}muted.${meeting}`) === 'yes';
  } catch {
    return false;
  }
}

/** Remembers that for this tab. */
export function keepMuted(meeting, muted) {
  try {
    if (muted) sessionStorage.setItem(`${PREFIX}muted.${meeting}`, 'yes');
    else sessionStorage.removeItem(`${PREFIX}muted.${meeting}`);
  } catch {
    // A reload then knows nothing of it; the page itself does.
  }
}

/** The page has loaded in full: should a part be missing the next time, it may load itself again (boot.js). */
export function forgetReload() {
  try {
    sessionStorage.removeItem(`${PREFIX}loaded-again`);
  } catch {
    // Nothing is remembered, nothing is to be forgotten.
  }
}
