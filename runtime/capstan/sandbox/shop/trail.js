// "What just happened": the requests of this page, the newest first, each with its curl command.

import { curl, onRequest } from './capstan.js';
import { breakable, count, h } from './dom.js';

const KEPT = 60;
const lastQuiet = new Map(); // path -> what became last of requests that repeat themselves
let list;
let repeats;
let looked = 0;

/** Put the panel into an element. */
export function showTrail(place) {
  list = h('ol', { class: 'trail-list', 'aria-label': 'Requests, the newest first' });
  repeats = h('p', { class: 'trail-soft', hidden: true });
  place.append(
    h('div', { class: 'trail-head' }, h('h2', null, 'What just happened'),
      h('button', { type: 'button', class: 'quiet', onclick: clear }, 'Clear')),
    h('p', { class: 'trail-soft' }, 'Each request of this page, and how you would send it yourself. Open one to see it whole.'),
    repeats, list,
    h('p', { class: 'trail-empty' }, 'Nothing yet. Put something in the basket and pay.'),
  );
  onRequest(note);
  // The payment widget is a script of its own, as it would be in any shop; it says what it sends.
  addEventListener('sandbox-widget-request', (event) => note({ to: 'sandbox', quiet: false, ...event.detail }));
}

function clear() {
  list.replaceChildren();
}

function note(entry) {
  if (entry.state === 'sent') return;
  if (entry.quiet) {
    const now = `${entry.state} ${entry.answer}`;
    const before = lastQuiet.get(entry.path);
    lastQuiet.set(entry.path, now);
    if (now === before) {
      repeats.hidden = false;
      repeats.textContent = `Looked again ${count(++looked, 'time')}; nothing had changed.`;
      return;
    }
  }
  list.prepend(row(entry));
  while (list.childElementCount > KEPT) list.lastElementChild.remove();
}

function row(entry) {
  const ok = entry.state === 'answered' && entry.status < 400;
  const state = entry.state === 'lost' ? 'no answer' : String(entry.status);
  const took = Math.round(performance.now() - entry.started);
  const command = curl(entry);
  return h('li', null, h('details', null,
    h('summary', null,
      h('span', { class: `verb ${entry.method.toLowerCase()}` }, entry.method),
      h('span', { class: 'path' }, breakable(short(entry.path))),
      h('span', { class: ok ? 'good' : 'bad' }, state),
      h('span', { class: 'what' }, entry.to === 'Capstan' ? `Capstan, ${took} ms` : `the widget, to the sandbox, ${took} ms`)),
    h('div', { class: 'command' }, h('pre', { tabindex: 0 }, command), copyButton(command)),
    entry.text === undefined ? null : [h('h3', null, 'Sent'), h('pre', { tabindex: 0 }, pretty(entry.text))],
    answerHeaders(entry),
    entry.answer ? [h('h3', null, 'Answer'), h('pre', { tabindex: 0 }, pretty(entry.answer))] : null));
}

function answerHeaders(entry) {
  const shown = ['capture-id', 'refund-id', 'location'].filter((name) => entry.answered?.get(name));
  return shown.length ? h('pre', { tabindex: 0 }, shown.map((name) => `${name}: ${entry.answered.get(name)}`).join('\n')) : null;
}

/** Long ids get in the way of the path; the command has them whole. */
const short = (path) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => `${id.slice(0, 8)}…`);

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

export function copyButton(text) {
  const button = h('button', { type: 'button', class: 'quiet copy' }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector('pre'));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  return button;
}
