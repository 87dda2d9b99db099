// The meeting page: what arrives from the meeting is shown, what somebody presses is asked for.
// The server's state is the truth (K-4); the page holds no copy of its own except what it still waits for.

import { Capture } from './captures.js';
import { Chat } from './chat.js';
import { Controls } from './controls.js';
import { Door } from './door.js';
import { Lobby } from './lobby.js';
import { Media } from './media.js';
import { SEAT_KEPT_MS, browserKey, forgetReload, keepMuted, leaveToken, takeToken, wasMuted } from './memory.js';
import { Microphone } from './microphone.js';
import { Prejoin } from './prejoin.js';
import { Rooms } from './rooms.js';
import { Roster } from './roster.js';
import { Signalling } from './signalling.js';
import { knock } from './sound.js';
import { announce, byId, confirmed, fill, openDialog, part, setLevel, setShown, setText, show, toast } from './view.js';
import { blockedPort, duration, ended as endedWords, lost as lostWords, media as mediaWords, people, stopping as stoppingWords, waiting as waitingWords, waitingMicrophone } from './text.js';

// Everything of one meeting lies under its own address: `/m/{meeting}`, `/m/{meeting}/info`, `/m/{meeting}/ws`.
const base = /^.*\/m\/[^/]+/.exec(location.pathname)?.[0] ?? location.pathname.replace(/\/+$/, '');
const socketUrl = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${base}/ws`;

const api = base.replace(/\/m\/([^/]+)$/, '/api/v1/meetings/$1');

/** Earlier lines of the chat have come by then. */
const EARLIER_CHAT_MS = 2_000;

/** How often meters move. */
const METER_MS = 100;

/** The meeting as the server described it before joining. */
let info = null;

/** The connection to the meeting is lost; the server has said that it restarts. */
let lost = false;
let restarting = false;

/** Who speaks, by the server's last word, and whether the browser waits for a click before it plays the meeting. */
let speaking = [];
let soundOff = false;

/** The viewer's name, the seat's token and row id, the last state, and since when they are inside. */
let name = '';
let resume = null;
let you = null;
let state = null;
let insideSince = null;
let waitingSince = null;

/** False from a join until the first `welcome`; the connection before it belongs to the form. */
let welcomed = false;

/** True while this very connection has been welcomed. */
let greeted = false;

/** What the viewer asked their own microphone to be and the server has not confirmed yet. */
let wantMuted = null;

/** The viewer has closed their own microphone: brought along by every join, so that no new seat opens it (K-4). */
let mutedBefore = false;

// Whoever has a seat comes back to it even where a newcomer would be asked for the passcode.
const signalling = new Signalling(() => (resume ? `${socketUrl}?back=1` : socketUrl), receive, linkChanged);
const ask = (message) => {
  const sent = signalling.send(message);
  if (!sent && message.type !== 'offer' && message.type !== 'chat') toast('Not done: the connection is lost for the moment.', 'problem');
  return sent;
};
const remoteAudio = byId('remote-audio');
const microphone = new Microphone(microphoneChanged);
const prejoin = new Prejoin(microphone, join);
const door = new Door(base);
const lobby = new Lobby(ask);
const roster = new Roster(ask);
const rooms = new Rooms(api);
const recording = new Capture('recording', { banner: 'rec-banner', chip: 'chip-recording', start: 'record', pause: 'record-pause', stop: 'record-stop' }, ask);
const transcription = new Capture('transcription', { banner: 'transcription-banner', chip: 'chip-transcription', start: 'transcription', pause: 'transcription-pause', stop: 'transcription-stop' }, ask);
const controls = new Controls({
  mute: toggleMute,
  hand: () => ask({ type: 'hand', on: !self()?.hand }),
  chat: () => chat.toggle(),
  admitFirst: () => lobby.admitFirst(),
  microphone: openMicrophoneDialog,
  leave,
  end: endForAll,
});
const chat = new Chat(ask, () => controls.showChat(chat.open, chat.unread));
let media = null;

// ---- before the meeting

/** What the server says of the meeting and of us now: `found`, or the HTTP status; 0: no answer, -1: none that is understood. */
async function describe(token = null) {
  let response;
  try {
    // Told at once that the page is there again, the meeting does not take it for closed.
    const headers = { accept: 'application/json', ...(token ? { 'x-roomgate-resume': token } : {}) };
    response = await fetch(`${base}/info`, { headers, credentials: 'same-origin' });
  } catch {
    return { status: 0, found: null };
  }
  if (!response.ok) return { status: response.status, found: null };
  try {
    const found = await response.json();
    found.title ||= found.meeting;
    found.organisation ||= 'the organisation';
    return { status: 200, found };
  } catch {
    return { status: -1, found: null };
  }
}

/** There is no meeting to show. */
function unavailable(status) {
  signalling.close();
  const reload = () => location.reload();
  if (status === 0) return over('The meeting cannot be reached', 'The server does not answer. Check your connection and try again.', 'Try again', reload);
  if (status === 404) return over('There is no such meeting', 'Check the address you were given; it may have been mistyped or the meeting removed.', 'Try again', reload);
  if (status === -1) return over('The meeting cannot be opened', 'The server answered with something this page does not understand.', 'Try again', reload);
  return over('The meeting cannot be opened', `The server answered with an error (${status}). Try again in a moment.`, 'Try again', reload);
}

async function begin() {
  resume = takeToken(base);
  const { status, found } = await describe(resume);
  if (status === 0 && resume) leaveToken(base, resume);
  if (!found) return unavailable(status);
  info = found;
  media = new Media({
    send: ask,
    changed: mediaChanged,
    stream: play,
  });
  roster.sms = info.sms === true;
  fill({ title: info.title, organisation: info.organisation });
  showTitle();
  mutedBefore = wasMuted(info.meeting);
  described();
}

/** After an end: who we are here may have changed since, and what is asked at the door. */
async function again() {
  const { status, found } = await describe();
  if (!found) return unavailable(status);
  info = found;
  fill({ title: info.title, organisation: info.organisation });
  showTitle();
  described();
}

/** Shows the form, or why there is none. */
function described() {
  if (info.role === 'none') return over('This meeting is for members only', `Only members of ${info.organisation} may join. Open the link you were given, or ask the organiser for one.`, 'Try again', () => location.reload());
  beforeJoining();
}

function beforeJoining() {
  forgetReload();
  prejoin.joining = false;
  prejoin.error = '';
  show('prejoin');
  prejoin.prepare(info);
  door.prepare(info);
  if (!prejoin.listenOnly && microphone.state === 'closed') microphone.open();
}

async function join(asName) {
  // The click that joins is the permission to play sound; some browsers give it only to a call made right here.
  remoteAudio.play().catch(() => {});
  prejoin.joining = true;
  prejoin.error = '';
  if (!await door.open()) {
    prejoin.joining = false;
    return;
  }
  name = asName;
  you = state = insideSince = waitingSince = wantMuted = null;
  welcomed = greeted = lost = restarting = false;
  speaking = [];
  chat.reset();
  lobby.reset();
  roster.reset();
  rooms.reset();
  recording.reset();
  transcription.reset();
  signalling.open(hello);
}

/** The first frame of each connection. A seat that is a new one, after a restart of the server, is taken as the old one was left (K-4). */
function hello() {
  return { type: 'join', name, ...(resume ? { resume } : {}), deltas: true, muted: mutedBefore, key: browserKey(), ...(self()?.hand ? { hand: true } : {}) };
}

// ---- what the server says

function receive(message) {
  switch (message.type) {
    case 'welcome': return welcome(message);
    case 'answer': return media.answer(message.sdp);
    case 'state': return showState({ ...message, participants: message.participants.map(dated) });
    case 'delta': return showDelta(message);
    case 'speaking': return speak(message.ids);
    case 'chat': return chat.add(message);
    case 'chat-texted': return chat.texted(message.id, message.texted);
    case 'calling': return rooms.told(message);
    case 'unmute-asked': return askedToUnmute(message.by);
    case 'refused': return refused(message);
    case 'stopping': return stopping(message.within_seconds, message.comes_back !== false);
    case 'ended': return message.reason === 'restarting' ? restarts() : finished(message.reason);
    default: return undefined;
  }
}

function welcome(message) {
  const sameSeat = message.you === you;
  welcomed = greeted = true;
  restarting = false;
  setShown(byId('stopping-banner'), false);
  setShown(byId('waiting-stopping'), false);
  you = message.you;
  resume = message.resume ?? null;
  chat.you = you;
  if (!sameSeat) {
    roster.reset();
    chat.quietUntil = performance.now() + EARLIER_CHAT_MS;
  }
  media.iceServers = message.ice_servers ?? [];
  media.setTrack(microphone.track);
  // A new seat knows nothing of the old connection; the same seat keeps it while it works.
  if (!sameSeat || media.state !== 'connected') media.start();
  if (wantMuted !== null) signalling.send({ type: 'mute-self', on: wantMuted });
}

/** A row with the time of its knock instead of how long ago that was: rows stay while the clock runs. */
const dated = (one) => (one.waiting_seconds === undefined || one.waiting_seconds === null ? one : { ...one, since: Date.now() - one.waiting_seconds * 1000 });

/** What has changed since the last state. If that is not the one before, something was missed, and the whole is asked for. */
function showDelta({ revision, rows, gone, ...facts }) {
  if (!state || revision !== state.revision + 1) {
    signalling.send({ type: 'resync' });
    return;
  }
  const all = new Map(state.participants.map((one) => [one.id, one]));
  for (const id of gone) all.delete(id);
  for (const one of rows) all.set(one.id, dated(one));
  const number = (one) => Number(one.id.slice(1));
  showState({ ...facts, revision, participants: [...all.values()].sort((a, b) => number(a) - number(b)) });
}

function askedToUnmute(by) {
  knock();
  toast(`${by} asks you to unmute your microphone.`);
}

function showState(next) {
  const before = state?.standing;
  const wasOpen = before === 'in' && self()?.muted === false;
  state = next;
  you = next.you;
  const me = self();
  if (wasOpen && me?.muted && wantMuted !== true) toast('You have been muted by somebody in the meeting.');
  if (me && me.muted === wantMuted) wantMuted = null;
  if (me && wantMuted === null) setMutedBefore(['owner', 'both'].includes(me.muted_by));
  if (next.standing === 'in') {
    if (before !== 'in') enter(before);
    lobby.show(next);
    roster.show(next);
    chat.allowed = next.chat !== false;
    rooms.show(next);
    recording.show(next.recording, next.may_record);
    transcription.show(next.transcription, next.may_record && info.transcription);
    setText(byId('chip-people'), people(next.participants.filter((one) => one.state === 'in').length));
  } else {
    wait(next.standing, me);
  }
  showSelf();
  showTitle();
}

function enter(before) {
  insideSince = Date.now();
  roster.reset();
  chat.quietUntil = performance.now() + EARLIER_CHAT_MS;
  waitingSince = null;
  show('meeting');
  if (before) announce('You have been let in.', 'urgent');
  muteWithoutMicrophone();
}

function wait(standing, me) {
  const words = waitingWords[standing] ?? waitingWords.lobby;
  const organisation = info.organisation;
  const since = me?.since ?? Date.now();
  if (waitingSince === null || Math.abs(waitingSince - since) > 1500) waitingSince = since;
  const section = byId('view-waiting');
  if (section.dataset.state && section.dataset.state !== standing && document.body.dataset.view === 'waiting') announce(words.title);
  section.dataset.state = standing;
  setText(byId('waiting-title'), words.title);
  setText(byId('waiting-text'), words.text(organisation));
  show('waiting');
}

function refused({ code, text }) {
  if (!greeted) {
    // The next one is tried until it is there.
    if (code === 'restarting' && welcomed) return;
    // Not even knocking was possible: a full or locked meeting, or one without guests.
    const shut = ['passcode-wanted', 'anonymous-off'].includes(code);
    if (welcomed) finished(shut ? code : 'refused', shut ? null : text);
    signalling.close();
    prejoin.joining = false;
    prejoin.error = text;
    return;
  }
  if (code === 'mute-locked' || code === 'not-inside' || code === 'too-fast') wantMuted = null;
  if (['bad-text', 'not-inside', 'too-fast', 'chat-full'].includes(code)) chat.giveBack();
  toast(text, 'problem');
  showSelf();
}

function finished(reason, why = null) {
  signalling.close();
  media.stop();
  microphone.close();
  resume = null;
  state = null;
  if (reason === 'left') setMutedBefore(false);
  lost = restarting = soundOff = false;
  speak([]);
  showAlerts();
  setShown(byId('stopping-banner'), false);
  setShown(byId('waiting-stopping'), false);
  showTitle();
  const { title, text, final } = endedWords(reason);
  // Since the page was loaded the session may have ended, and the door may ask for more: the form is made of what is so now.
  over(title, why ?? text, final ? null : 'Join again', again, reason);
}

/** Nothing follows by itself. `button` is null where there is nothing to press. */
function over(title, text, button, act, reason = 'unavailable') {
  setText(byId('ended-title'), title);
  setText(byId('ended-text'), text);
  byId('view-ended').dataset.state = reason;
  const again = byId('join-again');
  setShown(again, button !== null);
  setText(again, button ?? '');
  again.onclick = act;
  show('ended');
}

// ---- one's own microphone

const self = () => state?.participants.find((one) => one.id === state.you);
const isMuted = () => wantMuted === true || (self()?.muted ?? false);

function setMutedBefore(on) {
  if (mutedBefore === on) return;
  mutedBefore = on;
  keepMuted(info.meeting, on);
}

function setWantMuted(on) {
  wantMuted = on;
  setMutedBefore(on);
  signalling.send({ type: 'mute-self', on });
  showSelf();
}

/** Who has no microphone is shown as muted; not while the browser still asks for it, or joining quickly would mute for good. */
function muteWithoutMicrophone() {
  const without = state?.standing === 'in' && !microphone.track && microphone.state !== 'opening';
  if (without && wantMuted === null && !self()?.muted) setWantMuted(true);
}

function toggleMute() {
  if (!microphone.track) return openMicrophoneDialog();
  return setWantMuted(!isMuted());
}

function openMicrophoneDialog() {
  openDialog(byId('microphone-dialog'));
  if (!microphone.track && microphone.state === 'closed') microphone.open();
}

/** Closing takes effect here at once; opening only when the server has agreed, and never before being inside (M-8). */
function showSelf() {
  const muted = isMuted();
  microphone.live = state?.standing === 'in' && !muted;
  controls.show({
    muted,
    hasMicrophone: microphone.track !== null,
    hand: self()?.hand ?? false,
    mayEnd: state?.may_end ?? false,
  });
  const quiet = microphone.track ? waitingMicrophone.on : waitingMicrophone.off;
  setText(byId('waiting-mic-label'), quiet);
  setShown(byId('waiting-meter'), microphone.track !== null);
}

function microphoneChanged() {
  media?.setTrack(microphone.track);
  prejoin.refresh();
  showSelf();
  muteWithoutMicrophone();
}

// ---- connection and sound

function linkChanged(link) {
  const wasLost = lost;
  lost = link.state === 'lost';
  if (link.shut) whyShut();
  if (lost) greeted = false;
  if (!welcomed) {
    prejoin.error = lost ? 'The meeting cannot be reached. Trying again…' : '';
    return;
  }
  if (lost && !wasLost && !restarting) announce('The connection is lost. Reconnecting.', 'urgent');
  if (!lost && wasLost) announce('Connected again.');
  // What was last heard of the others is no longer true.
  if (lost) speaking = [];
  const words = lostWords(restarting, lost && Date.now() - link.lostAt < SEAT_KEPT_MS);
  setText(byId('reconnecting-title'), words.title);
  setText(byId('reconnecting-text'), words.text);
  showAlerts();
}

/** The server does not take the connection: it is asked whether it ever will, so that the page promises nothing that cannot come. */
async function whyShut() {
  const { status, found } = await describe();
  if (!signalling.wanted || !lost) return;
  if (status === 404) return welcomed ? finished('gone') : unavailable(404);
  // With a seat the answer to the next join says whether it is still there; and a server that does not answer may come back.
  if (!found || resume) return;
  const reason = found.role === 'none' ? 'anonymous-off' : found.passcode ? 'passcode-wanted' : null;
  if (reason === null) return;
  if (welcomed) finished(reason);
  else {
    signalling.close();
    again();
  }
}

function mediaChanged(next) {
  if (next === 'interrupted' || next === 'blocked' || next === 'unanswered') signalling.suspect();
  showAlerts();
}

/** One card at a time says what is wrong: without a connection nothing can be said of the sound. */
function showAlerts() {
  const state = lost ? 'lost' : media.state;
  const chip = byId('chip-media');
  chip.dataset.state = state;
  setText(chip, mediaWords[state]);
  setShown(byId('reconnecting'), lost && welcomed);
  const notice = byId('blocked-port');
  const blocked = (state === 'blocked' || state === 'unanswered') && (signalling.alive || !notice.hidden);
  if (blocked) {
    const words = blockedPort(state, info.media?.candidates ?? []);
    for (const key of ['title', 'text', 'ask']) setText(part(notice, key), words[key]);
    if (notice.hidden) announce(`${words.title}. ${words.text}`, 'urgent');
  }
  setShown(notice, blocked);
  notice.dataset.state = state;
  setShown(byId('play-audio-notice'), soundOff && state === 'connected');
  roster.speaking(state === 'connected' ? speaking : []);
}

function speak(ids) {
  speaking = ids;
  roster.speaking(!lost && media.state === 'connected' ? ids : []);
}

/** The server will stop: until then the meeting goes on (O-4). */
function stopping(seconds, comesBack) {
  const words = stoppingWords(seconds, comesBack);
  for (const id of ['stopping-banner', 'waiting-stopping']) {
    setText(part(byId(id), 'text'), words);
    setShown(byId(id), true);
  }
  announce(words);
}

/** The server is gone for a moment, and the page goes on trying. */
function restarts() {
  restarting = true;
  setShown(byId('stopping-banner'), false);
  setShown(byId('waiting-stopping'), false);
  announce('The meeting server restarts. You come back by yourself.', 'urgent');
}

async function play(stream) {
  remoteAudio.srcObject = stream;
  try {
    await remoteAudio.play();
    soundOff = false;
  } catch (error) {
    // Anything but a refusal is a newer stream taking over.
    if (error.name === 'NotAllowedError') {
      soundOff = true;
      announce('Sound is off. Press the button Turn sound on.', 'urgent');
    }
  }
  showAlerts();
}

// ---- leaving

function leave() {
  signalling.send({ type: 'leave' });
  finished('left');
}

async function endForAll() {
  const question = ['End the meeting for everybody?', 'Everybody is disconnected, people in a browser and on the phone alike.', 'End for all'];
  if (await confirmed(question, { danger: true })) ask({ type: 'end' });
}

// ---- what runs with the clock

function showTitle() {
  const title = info ? `${info.title} · Roomgate` : 'Roomgate';
  const count = state?.standing === 'in' ? lobby.count : 0;
  document.title = count > 0 ? `(${count}) ${title}` : title;
}

setInterval(() => {
  if (welcomed && media) showAlerts();
  if (state?.standing === 'in') {
    setText(byId('chip-time'), duration((Date.now() - insideSince) / 1000));
    lobby.tick();
    recording.tick();
    transcription.tick();
  } else if (waitingSince !== null) {
    setText(byId('waiting-time'), duration((Date.now() - waitingSince) / 1000));
  }
}, 500);

setInterval(() => {
  const view = document.body.dataset.view;
  const level = microphone.level();
  if (view === 'prejoin') setLevel(byId('prejoin-meter'), level);
  if (view === 'waiting') setLevel(byId('waiting-meter'), level);
  if (view === 'meeting') {
    setLevel(byId('dialog-meter'), level);
    controls.level(level, isMuted() && microphone.track !== null);
  }
}, METER_MS);

byId('waiting-leave').addEventListener('click', leave);
byId('reconnect-now').addEventListener('click', () => signalling.retryNow());
byId('blocked-retry').addEventListener('click', () => media.retry());
byId('blocked-copy').addEventListener('click', async () => {
  const notice = byId('blocked-port');
  try {
    await navigator.clipboard.writeText(`${part(notice, 'text').textContent} ${part(notice, 'ask').textContent}`);
    toast('Copied.');
  } catch {
    toast('The browser does not allow copying here. Select the text instead.', 'problem');
  }
});
byId('play-audio').addEventListener('click', () => play(remoteAudio.srcObject));
addEventListener('online', () => signalling.retryNow());
addEventListener('offline', () => signalling.suspect());
addEventListener('pagehide', () => {
  if (!resume || !welcomed || !state) return;
  leaveToken(base, resume);
  // Closed, it is gone at once; loaded anew, it says so in time.
  signalling.send({ type: 'close' });
});

begin();
