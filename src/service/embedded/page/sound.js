// The page's own use of WebAudio: one context for the level meter and the knock at the lobby's door.

let context = null;

/** The context, or null where the browser has none. It may still be suspended until the first click or key. */
export function audioContext() {
  if (!context && window.AudioContext) {
    context = new AudioContext();
    const wake = () => {
      if (context.state === 'suspended') context.resume().catch(() => {});
    };
    for (const gesture of ['pointerdown', 'keydown']) addEventListener(gesture, wake, { passive: true });
  }
  return context;
}

/** Two soft rising tones: somebody has arrived in the lobby. */
export function knock() {
  const audio = audioContext();
  if (!audio || audio.state !== 'running') return;
  for (const [hertz, after] of [[660, 0], [880, 0.13]]) {
    const start = audio.currentTime + after;
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.07, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0005, start + 0.28);
    tone.connect(gain).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.3);
  }
}
