// What the page says, and how times and names are written. No markup is ever made from these strings.

/** The longest display name, in characters (M-4). */
export const NAME_LIMIT = 64;

/** The longest chat message, in characters. */
export const CHAT_LIMIT = 4000;

/** Counts characters as people and the server do: code points, not UTF-16 units. */
export const length = (text) => [...text].length;

/** The first `limit` code points of a text. */
export const clip = (text, limit) => [...text].slice(0, limit).join('');

/** `75` seconds is `1:15`, an hour and more `1:02:05`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The hour and minute of a moment, as the reader's own region writes it. */
export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });

/** One or two letters for an avatar. */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).map((word) => word.replace(/^[^\p{L}\p{N}]+/u, '')).filter(Boolean);
  const first = words[0] ? [...words[0]][0] : '?';
  const last = words.length > 1 ? [...words[words.length - 1]][0] : '';
  return (first + last).toLocaleUpperCase();
}

/** Which of the eight avatar tones a participant keeps. */
export function tone(id) {
  let sum = 0;
  for (const unit of id) sum = (sum * 31 + unit.codePointAt(0)) >>> 0;
  return sum % 8;
}

/** "1 person", "3 people". */
export const people = (count) => (count === 1 ? '1 person' : `${count} people`);

/** Two waits that look alike and are not (M-5, M-6). */
export const waiting = {
  waiting: {
    title: 'Waiting for the host',
    text: (organisation) => `Nobody from ${organisation} is in the meeting yet. Stay on this page: you move on by yourself as soon as somebody arrives.`,
  },
  lobby: {
    title: 'You are in the lobby',
    text: (organisation) => `Somebody from ${organisation} has been told that you are here and can let you in. They see your name and that you are external.`,
  },
};

/** Under the wait: what happens to one's sound meanwhile (M-8). */
export const waitingMicrophone = {
  on: 'Your microphone is ready. Nobody hears you until you are let in.',
  off: 'You join without a microphone. You can turn one on once you are in.',
};

/** How a known device has proven to be it (M-1), by the server's word. */
export function provenBy(word) {
  const words = { digest: 'its password', certificate: 'its certificate', address: 'its address alone', registration: 'where it registered' };
  return words[word] ?? word;
}

/** Why a presence is over, by the server's code; `final` where the page does not offer to come back. */
export function ended(reason) {
  const known = {
    denied: ['You were not let in', 'Somebody in the meeting declined your request to join. If that was a mistake, ask whoever invited you.', true],
    removed: ['You were removed', 'Somebody in the meeting took you out of it. If that was a mistake, ask whoever invited you.', true],
    'meeting-ended': ['The meeting has ended', 'It was ended for everybody.'],
    'meeting-full': ['The meeting is full', 'As many people are in it as it takes. Try again later.'],
    'anonymous-off': ['This meeting is for members only', 'It takes nobody from outside. Ask the organiser for a member link.'],
    gone: ['This meeting is no longer there', 'It was removed, or made for once and the server has been restarted. Ask whoever invited you for a new address.', true],
    'not-kept': ['The meeting is over', 'The meeting server stops, and this meeting was made for once: it is not there again afterwards.', true],
    'lobby-crowded': ['Too many people wait from your network', 'The waiting room was full, and others had to find room in it. Try again in a moment.'],
    'passcode-wanted': ['This meeting has a passcode now', 'It was set or changed while you waited. Join again with the passcode of your invitation.'],
    'lobby-timeout': ['Nobody let you in', 'The longest time in the lobby is over. You can try again.'],
    left: ['You left the meeting', 'You can come back at any time while it lasts.'],
    replaced: ['You joined somewhere else', 'This meeting is now open in another tab or window, so this one stopped.'],
  };
  const [title, text, final = false] = known[reason] ?? ['You are no longer in the meeting', 'The meeting closed this connection.'];
  return { title, text, final };
}

/** Recording and transcription (N-1): banner, and what is said to screen readers at a change. */
export const captures = {
  recording: {
    on: 'This meeting is being recorded',
    paused: 'Recording is paused',
    said: {
      on: 'Recording has started. This meeting is being recorded.',
      paused: 'Recording is paused.',
      off: 'Recording has stopped.',
      resumed: 'Recording goes on. This meeting is being recorded.',
      already: 'This meeting is being recorded.',
    },
    start: ['Record this meeting?', 'Everybody will be told: people in a browser see a banner, and people on a room phone hear it said.', 'Start recording'],
    stop: ['Stop recording?', 'Everybody will be told that recording has stopped. What was recorded so far is kept.', 'Stop recording'],
  },
  transcription: {
    on: 'This meeting is being transcribed',
    paused: 'Transcription is paused',
    said: {
      on: 'Transcription has started. What is said here is being written down.',
      paused: 'Transcription is paused.',
      off: 'Transcription has stopped.',
      resumed: 'Transcription goes on. What is said here is being written down.',
      already: 'This meeting is being transcribed.',
    },
    start: ['Transcribe this meeting?', 'What is said will be written down. Everybody will be told: people in a browser see a banner, and people on a room phone hear it said.', 'Start transcription'],
    stop: ['Stop transcription?', 'Everybody will be told that transcription has stopped.', 'Stop transcription'],
  },
};

/** What to do about a microphone that is not there, by the code of `microphone.js`. */
export function microphoneProblem(code, origin) {
  switch (code) {
    case 'insecure':
      return ['This page may not use a microphone', `Browsers give a microphone only to secure pages, and ${origin} is not one. Open the meeting by its https:// address, or ask whoever runs Roomgate for it. Until then you can listen only.`];
    case 'refused':
      return ['The microphone is blocked', 'Your browser or your system refused it. Press the lock or settings symbol beside the address, allow the microphone for this page, then try again. If it is allowed there, look in the privacy settings of your computer.'];
    case 'missing':
      return ['No microphone found', 'Plug one in or switch your headset on, then try again. You can also listen only.'];
    case 'busy':
      return ['The microphone is in use', 'Another program holds it. Close that program or choose another microphone, then try again.'];
    case 'unplugged':
      return ['The microphone is gone', 'It was unplugged or switched off. Connect it again or choose another one.'];
    default:
      return ['The microphone does not start', 'Choose another one or try again. You can also listen only.'];
  }
}

/** The state of the sound, for the chip in the header. */
export const media = {
  idle: 'Connecting sound',
  connecting: 'Connecting sound',
  connected: 'Sound connected',
  interrupted: 'Sound interrupted',
  blocked: 'No sound',
  unanswered: 'No sound',
  lost: 'No connection',
};

/** No connection to the meeting: `kept` while the seat is (M-5); past that it is gone, but not the way back. */
export function lost(restarting, kept) {
  if (restarting) return { title: 'The meeting server restarts…', text: 'You come back by yourself, with your microphone and your hand as they are now.' };
  return { title: 'Reconnecting…', text: kept ? 'The connection to the meeting is lost. Your place is kept for a minute.' : 'Still no connection. You may have to be let in again.' };
}

/** The server will stop within so many seconds. */
export function stopping(seconds, comesBack = true) {
  const minutes = Math.ceil(seconds / 60);
  const within = seconds < 60 ? 'within a minute' : minutes === 1 ? 'in a minute at the latest' : `in ${minutes} minutes at the latest`;
  if (!comesBack) return `The meeting server stops ${within}, and this meeting ends with that.`;
  return `The meeting server restarts ${within}. The sound stops for a moment then; this page comes back by itself.`;
}

/** "a", "a or b", "a, b or c". */
export function anyOf(list, word = 'or') {
  return list.length < 2 ? list.join('') : `${list.slice(0, -1).join(', ')} ${word} ${list[list.length - 1]}`;
}

/** No path for the sound: what is blocked and what to ask for. */
export function blockedPort(state, candidates) {
  if (state === 'unanswered') {
    return {
      title: 'The meeting server does not answer with sound',
      text: 'You are connected, but the server has not replied to the request for sound. We keep trying.',
      ask: 'If this stays, ask whoever runs Roomgate to look at its log.',
    };
  }
  const targets = candidates.length > 0 ? candidates.map((address) => `UDP ${address}`) : ['UDP of the meeting server'];
  return {
    title: 'Your network blocks the sound',
    text: `This page reaches the meeting, but no packet gets through to ${anyOf(targets)}. We keep trying.`,
    ask: `Ask your network administrator to allow outgoing ${anyOf(targets)}, with the answers to it. Whoever runs Roomgate should check that this address is reachable from where you are.`,
  };
}

/** How the call to a room goes, by the server's word: in its row, and as a short message. */
export const roomCall = {
  calling: { row: 'Calling…', toast: (name) => `Calling ${name}.` },
  ringing: { row: 'Ringing…', toast: (name) => `${name} is ringing.` },
  answered: { row: 'Answered: they are asked to press 1', toast: (name) => `${name} has answered.` },
  knocked: { row: 'In the lobby', toast: (name) => `${name} wants to join.` },
  declined: { row: 'Declined', toast: (name) => `${name} declined.`, problem: true },
  'no-answer': { row: 'No answer', toast: (name) => `${name} did not answer.`, problem: true },
  busy: { row: 'Busy', toast: (name) => `${name} is busy.`, problem: true },
  'not-reachable': { row: 'Not reachable', toast: (name) => `${name} cannot be reached.`, problem: true },
  cancelled: { row: 'Cancelled', toast: (name) => `The call to ${name} was cancelled.` },
  failed: { row: 'The call failed', toast: (name) => `The call to ${name} failed.`, problem: true },
};

/** Everything one key does. */
export const shortcuts = [
  ['M', 'Mute or unmute'],
  ['H', 'Raise or lower your hand'],
  ['C', 'Open or close the chat'],
  ['A', 'Admit the first one in the lobby, after a question; in the list of those who wait, the chosen one at once'],
  ['?', 'Show this list'],
  ['Enter', 'Send a message (Shift + Enter: new line)'],
  ['Esc', 'Close what is open'],
];

/** How far a line has come by SMS: `state` for the eye, `words` for the reader. */
export function texted({ waiting: onItsWay = 0, sent = 0, delivered = 0, failed = 0 }) {
  const all = onItsWay + sent + delivered + failed;
  if (failed > 0) return { state: 'failed', words: all > failed ? `SMS: ${failed} of ${all} not delivered` : 'SMS not delivered' };
  if (onItsWay > 0) return { state: 'waiting', words: 'Sending by SMS…' };
  if (sent > 0) return { state: 'sent', words: 'Sent by SMS' };
  return { state: 'delivered', words: all > 0 ? 'SMS delivered' : '' };
}
