// A capture server: reads HEP with the npm package `hep-js` of the Homer project and prints a line of JSON for each packet.
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.ROOMGATE_SETUP}/node_modules/`);
const hep = require('hep-js');

const say = (event) => console.error(JSON.stringify(event));
const server = createSocket('udp4');
server.on('message', (packet) => {
    const { rcinfo, payload } = hep.decapsulate(packet);
    say({ event: 'packet', rcinfo, payload: payload.toString() });
});
server.bind(9060, '127.0.0.1', () => say({ event: 'listening' }));
