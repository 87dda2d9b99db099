// A headless Chromium, told what to do by lines of JSON on standard input and answering each with one line:
//   {"id":1,"do":"click","testid":"join"}   ->   {"id":1,"value":…}  or  {"id":1,"error":"…"}
// Its microphone is the WAV of the first argument; what the page plays is written into the WAV of the second, as it comes,
// from the moment the page has sound. Needs playwright-core in $ROOMGATE_SETUP/node_modules and a Chromium.

import { appendFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [microphone, recording] = process.argv.slice(2);
const { chromium } = createRequire(`${process.env.ROOMGATE_SETUP}/`)('playwright-core');

/** Long enough for a loaded machine; a step that takes this long has failed. */
const STEP_MS = 20_000;

/** Runs in the page before its own scripts. */
function instrument(microphoneDelay) {
  // A steady tone is what noise suppression is made to remove: the microphone comes as it is.
  const ask = navigator.mediaDevices?.getUserMedia?.bind(navigator.mediaDevices);
  if (ask) {
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    navigator.mediaDevices.getUserMedia = async (wish) => {
      if (microphoneDelay > 0) await new Promise((then) => setTimeout(then, microphoneDelay));
      return ask({ ...wish, audio: wish.audio && { ...Object(wish.audio), ...plain } });
    };
  }
  // A live region outside a modal dialog is inert: no screen reader says what is written there.
  const announced = (window.__announced = []);
  new MutationObserver((changes) => {
    for (const region of new Set(changes.map((change) => (change.target.nodeType === Node.TEXT_NODE ? change.target.parentElement : change.target)?.closest?.('[aria-live]')))) {
      const dialog = [...document.querySelectorAll('dialog:modal')].at(-1);
      if (region?.textContent && (!dialog || dialog.contains(region))) announced.push(region.textContent);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
  const connections = (window.__connections = []);
  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(...settings) {
      super(...settings);
      connections.push(this);
    }
  };

  const worklet = `registerProcessor('tap', class extends AudioWorkletProcessor {
    #piece = new Int16Array(4800); #filled = 0;
    process([[samples]]) {
      for (let n = 0; n < 128; n += 1) {
        this.#piece[this.#filled] = Math.max(-32768, Math.min(32767, Math.round((samples?.[n] ?? 0) * 32768)));
        this.#filled += 1;
        if (this.#filled === this.#piece.length) {
          this.port.postMessage(this.#piece.slice());
          this.#filled = 0;
        }
      }
      return true;
    }
  });`;
  let context = null;
  let source = null;
  let node = null;
  let tapped = null;
  let busy = false;
  const tap = async () => {
    const element = document.querySelector('[data-testid="remote-audio"]');
    const stream = element?.srcObject ?? null;
    if (busy || stream === null || stream === tapped || stream.getAudioTracks().length === 0) return;
    busy = true;
    if (context === null) {
      // The context has another clock than what plays the connection: now and then one of its buffers stays empty. A short one is no gap.
      context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
      await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
      node = new AudioWorkletNode(context, 'tap', { channelCount: 1, channelCountMode: 'explicit' });
      node.port.onmessage = ({ data }) => {
        const bytes = new Uint8Array(data.buffer);
        let text = '';
        for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
        window.__heard(btoa(text));
      };
      node.connect(context.destination);
      await context.resume();
    }
    source?.disconnect();
    source = context.createMediaStreamSource(stream);
    source.connect(node);
    tapped = stream;
    busy = false;
  };
  setInterval(tap, 50);
}

const header = Buffer.from('RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\x77\x01\0\x02\0\x10\0data\0\0\0\0', 'latin1');
writeFileSync(recording, header);

const browser = await chromium.launch({
  // Somebody waits a minute for it; other scenarios may want the machine meanwhile.
  timeout: 55_000,
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--mute-audio',
    '--autoplay-policy=no-user-gesture-required',
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${microphone}`,
    // In the namespace there is hardly more than loopback, of which browsers offer no candidates of their own accord.
    '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns,WebRtcAllowInputVolumeAdjustment,Translate,OptimizationHints,MediaRouter',
  ],
});
// The recorder's worklet comes from a blob, which the page's own policy rightly forbids.
const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true, bypassCSP: true, viewport: { width: 1280, height: 800 } });
context.setDefaultTimeout(STEP_MS);
const page = await context.newPage();
page.on('console', (message) => console.error(`page ${message.type()}: ${message.text()}`));
page.on('pageerror', (error) => console.error(`page error: ${error}`));
page.on('response', (response) => response.status() >= 400 && console.error(`page got ${response.status()} for ${response.url()}`));
await page.exposeFunction('__heard', (text) => appendFileSync(recording, Buffer.from(text, 'base64')));
await page.addInitScript(instrument, Number(process.env.MICROPHONE_DELAY_MS ?? 0));

/** The visible elements with a test id, of which `within` and `text` pick those inside a row that holds a text. */
function find({ testid, within, text }) {
  if (within) return page.getByTestId(within).filter({ hasText: text }).getByTestId(testid);
  const all = page.getByTestId(testid);
  return text ? all.filter({ hasText: text }) : all;
}

const acts = {
  open: ({ url }) => page.goto(url).then(() => page.url()),
  click: (which) => find(which).first().click(),
  fill: ({ testid, value }) => page.getByTestId(testid).fill(value),
  /** Waits until one is to be seen. */
  wait: (which) => find(which).first().waitFor(),
  /** Waits until none is to be seen. */
  gone: (which) => find(which).first().waitFor({ state: 'hidden' }),
  /** Loads the page anew, as its user would. */
  reload: () => page.reload().then(() => page.url()),
  /** Closes the tab, as its user would. */
  close: () => page.close().then(() => null),
  focus: (which) => find(which).first().focus(),
  press: ({ key }) => page.keyboard.press(key),
  /** What screen readers were told, in this order: each time a live region that is not behind a dialog changed. */
  announced: () => page.evaluate(() => window.__announced),
  /** Which element has the keyboard: its test id, or else its id. */
  focused: () => page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.id ?? null),
  url: ({ part }) => page.waitForURL((url) => url.pathname.includes(part)).then(() => page.url()),
  /** What the visible ones show: their text, their data-… attributes, and the test ids that are visible in them. */
  rows: ({ testid }) =>
    page.getByTestId(testid).evaluateAll((elements) =>
      elements
        .filter((element) => element.checkVisibility())
        .map((element) => ({
          text: element.innerText,
          data: { ...element.dataset },
          inside: [...element.querySelectorAll('[data-testid]')].filter((e) => e.checkVisibility()).map((e) => e.dataset.testid),
        })),
    ),
  /** Packets and concealed samples of the newest connection. */
  received: () =>
    page.evaluate(async () => {
      const report = await window.__connections.at(-1)?.getStats();
      const found = [...(report?.values() ?? [])].find((each) => each.type === 'inbound-rtp' && each.kind === 'audio');
      return found ? { packets: found.packetsReceived, lost: found.packetsLost, concealed: found.concealedSamples, silent: found.silentConcealedSamples, samples: found.totalSamplesReceived } : null;
    }),
  /** Presses a button in the row of somebody, and says after how many milliseconds another row is theirs. */
  timed: ({ within, text, testid, until }) =>
    page.evaluate(
      ([row, name, button, wanted]) => {
        const holds = (id) => [...document.querySelectorAll(`[data-testid="${id}"]`)].find((element) => element.querySelector('[data-part="name"]')?.textContent === name);
        const pressed = holds(row).querySelector(`[data-testid="${button}"]`);
        return new Promise((done) => {
          const began = performance.now();
          const look = () => holds(wanted) && (observer.disconnect(), done(performance.now() - began));
          const observer = new MutationObserver(look);
          observer.observe(document.body, { childList: true, subtree: true, characterData: true });
          pressed.click();
        });
      },
      [within, text, testid, until],
    ),
  screenshot: ({ path }) => page.screenshot({ path }).then(() => null),
};

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
answer({ id: 0, value: browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: act, ...rest } = JSON.parse(line);
  try {
    answer({ id, value: (await acts[act](rest)) ?? null });
  } catch (error) {
    answer({ id, error: `${act} ${JSON.stringify(rest)}: ${String(error).split('\n')[0]}; the page shows: ${await page.locator('body').innerText().catch(() => '')}` });
  }
}
await browser.close();
