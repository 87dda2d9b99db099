// A short message centre (npm `smpp` as server) on port 2775. Each thing that happens is a line of JSON on standard error; orders
// are lines of JSON on standard input: {"write": {"from", "text", "parts", "shuffled"}}, {"throttle": N}, {"drop": true}, {"hang": true}.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.ROOMGATE_SETUP}/node_modules/`);
const smpp = require('smpp');
const OWN = '12025550100';
const say = (what) => console.error(JSON.stringify(what));

let session;
let throttle = 0;
let hangs = false;
let count = 0;
let reference = 0;

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
  say({ event: 'submitted', from, to, text: message, header, coding, receipt });
  if (hangs) return undefined;
  const id = `m${count}`;
  session.send(pdu.response({ message_id: id }));
  return session.deliver_sm({
    source_addr: to, destination_addr: from, esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:000 submit date:2611260000 done date:2611260000 stat:UNDELIV err:011 text:`,
  });
}

smpp.createServer((bound) => {
  session = bound;
  bound.on('bind_transceiver', (pdu) => {
    const right = pdu.system_id === 'roomgate' && pdu.password === 'secret';
    say({ event: right ? 'bound' : 'refused' });
    bound.send(pdu.response(right ? { system_id: 'centre' } : { command_status: smpp.ESME_RBINDFAIL }));
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

function write({ from, text, parts = 1, shuffled = false }) {
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
  if (order.hang !== undefined) hangs = order.hang;
  if (order.drop) session.socket.destroy();
}).on('close', () => process.exit(0));
