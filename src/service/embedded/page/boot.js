// Runs before the modules. A part of the page that could not be fetched (a network that changed at that moment) would leave
// it empty: the page is loaded once more, and if that fails too it says so.
addEventListener('error', (event) => {
  if (!(event.target instanceof HTMLScriptElement)) return;
  const key = 'roomgate.loaded-again';
  let again = false;
  try {
    again = sessionStorage.getItem(key) !== null;
    sessionStorage.setItem(key, 'yes');
  } catch {
    again = true;
  }
  if (!again) {
    setTimeout(() => location.reload(), 500);
    return;
  }
  try { sessionStorage.removeItem(key); } catch { /* nothing is remembered, nothing is to be forgotten */ }
  const text = document.querySelector('#view-loading p');
  if (text) text.textContent = 'The page could not be loaded in full. Check your network, then load it again.';
}, true);
