// A short message centre (npm `smpp` as server) on port 2775. Each thing that happens is a line of JSON on standard error; orders
// are lines of JSON on standard input:
//   {"write": {"from", "text", "parts", "shuffled"}}   somebody writes
//   {"write": {"from", "hex", "coding"}}               somebody's handset sends these octets
//   {"throttle": N}, {"hang": bool}, {"drop": true}    what it does with submits and its connection; what hung is answered afterwards
//   {"receipts": {"states": [..], "names": "hex"}}     how it names messages and what their receipts say, one after the other
//   {"crowd": N}, {"tally": true}                      N people at a time, each from a number of its own, write until told to stop; what came of it
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.ROOMGATE_SETUP}/node_modules/`);
const smpp = require('smpp');
const OWN = '12025550100';
const say = (what) => console.error(JSON.stringify(what));

let session;
let sessions = 0;
let throttle = 0;
let hangs = false;
let hung = [];
let count = 0;
let named = 0;
let reference = 0;
let receipts = { states: ['UNDELIV'], names: 'plain' };

// Of the crowd: who waits for the centre to be believed, who was, and who has got an answer, in which sessions.
let crowd = 0;
let people = 0;
let unsure = new Map();
const believed = new Set();
const answers = new Map();

function submitted(session, pdu) {
  count += 1;
  if (throttle > 0) {
    throttle -= 1;
    say({ event: 'throttled' });
    return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
  }
  const { message, udh } = pdu.short_message;
  const header = udh ? [...[].concat(udh)[0]] : null;
  const { source_addr: from, destination_addr: to, data_coding: coding, registered_delivery: receipt } = pdu;
  if (crowd > 0 || answers.size > 0) return answered(session, pdu);
  say({ event: 'submitted', from, to, text: message, header, coding, receipt, reference: pdu.user_message_reference, at: Date.now() });
  return hangs ? hung.push(() => accepted(session, pdu)) : accepted(session, pdu);
}

function accepted(session, pdu) {
  const { source_addr: from, destination_addr: to } = pdu;
  const id = 1000 + ++named;
  session.send(pdu.response({ message_id: receipts.names === 'hex' ? id.toString(16).toUpperCase() : String(id) }));
  const state = receipts.states.length > 1 ? receipts.states.shift() : receipts.states[0];
  const date = '2611260000';
  return session.deliver_sm({
    source_addr: to, destination_addr: from, esm_class: 4,
    short_message: `id:${String(id).padStart(10, '0')} sub:001 dlvrd:000 submit date:${date} done date:${date} stat:${state} err:011 text:`,
  });
}

function answered(session, pdu) {
  const key = `${pdu.destination_addr}/${pdu.user_message_reference}`;
  answers.set(key, [...(answers.get(key) ?? []), session.number]);
  next(session);
  setTimeout(() => session.send(pdu.response({ message_id: `m${count}` })), Math.random() * 30);
}

// One more of the crowd, or who was not believed before, writes.
function next(bound) {
  if (bound !== session) return;
  // An outbox is bounded: nobody writes while many wait for their answer.
  while (unsure.size < crowd && believed.size < answers.size + 200) unsure.set(`4917${String(++people).padStart(8, '0')}`, 0);
  for (const [from, over] of unsure) {
    if (over === bound.number) continue;
    unsure.set(from, bound.number);
    bound.deliver_sm({
      source_addr: from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: OWN, short_message: `I am ${from}`,
    }, () => {
      unsure.delete(from);
      believed.add(from);
      next(bound);
    });
  }
}

smpp.createServer((bound) => {
  bound.number = ++sessions;
  session = bound;
  bound.on('bind_transceiver', (pdu) => {
    const right = pdu.system_id === 'roomgate' && pdu.password === 'secret';
    say({ event: right ? 'bound' : 'refused' });
    bound.send(pdu.response(right ? { system_id: 'centre' } : { command_status: smpp.ESME_RBINDFAIL }));
    if (right) next(bound);
  });
  bound.on('enquire_link', (pdu) => bound.send(pdu.response()));
  bound.on('unbind', (pdu) => {
    say({ event: 'unbound' });
    bound.send(pdu.response());
    bound.close();
  });
  bound.on('submit_sm', (pdu) => submitted(bound, pdu));
  bound.on('error', () => {});
}).listen(2775, '127.0.0.1', () => say({ event: 'listening' }));

function write({ from, text, parts = 1, shuffled = false, hex, coding }) {
  if (hex !== undefined) {
    session.deliver_sm({
      source_addr: from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: OWN, data_coding: coding,
      short_message: { message: Buffer.from(hex, 'hex') },
    }, (answer) => say({ event: 'written', status: answer.command_status }));
    return;
  }
  reference += 1;
  const size = Math.ceil(text.length / parts);
  const order = [...Array(parts).keys()];
  if (shuffled) order.reverse();
  for (const part of order) {
    const message = text.slice(part * size, (part + 1) * size);
    const udh = Buffer.from([5, 0, 3, reference, parts, part + 1]);
    session.deliver_sm({
      source_addr: from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: OWN, data_coding: 8,
      esm_class: parts > 1 ? 0x40 : 0, short_message: parts > 1 ? { udh, message } : { message },
    }, (answer) => say({ event: 'written', status: answer.command_status }));
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  if (order.write) write(order.write);
  if (order.throttle !== undefined) throttle = order.throttle;
  if (order.receipts) receipts = order.receipts;
  if (order.drop) {
    hung = [];
    session.socket.destroy();
  }
  if (order.hang !== undefined) {
    hangs = order.hang;
    if (!hangs) hung.splice(0).forEach((answer) => answer());
  }
  if (order.crowd !== undefined) {
    crowd = order.crowd;
    if (session) next(session);
  }
  if (order.tally) say({ event: 'tally', unsure: unsure.size, believed: [...believed], answers: Object.fromEntries(answers) });
}).on('close', () => process.exit(0));
