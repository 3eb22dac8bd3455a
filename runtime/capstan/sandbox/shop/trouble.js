// What to say when something did not work.

import { capstan, NoAnswer, NotNamed } from './capstan.js';
import { h, say } from './dom.js';

const USUAL_PORT = 8181;
const USUAL_REST_PORT = 8080; // in the bundled files
const BUSY = new Set([429, 502, 503, 504]); // the same request may well do better in a moment
const FILES = ['payments', 'order-management-orders', 'order-management-captures', 'order-management-refunds'];

/** Put an error into words; `again` is what a retry does. Anything but Capstan's own errors is a fault of the page. */
export async function showTrouble(place, error, again) {
  const box = h('div', { class: 'alert', role: 'alert', tabindex: -1 });
  place.replaceChildren(box);
  if (!(error instanceof NoAnswer)) {
    const unknown = error.problem?.outcome === 'unknown';
    box.append(h('strong', null, unknown ? 'It may have worked. ' : 'That did not work. '), error.message, ' ', hint(error));
    if (again && unknown) box.append('Trying again is safe: it still happens only once. ');
    if (again && (unknown || BUSY.has(error.status))) box.append(button('Try again', again));
    return;
  }
  const trouble = error instanceof NotNamed ? 'unnamed' : await capstan.trouble();
  box.append(...words(trouble), trouble === null || trouble === 'closed' ? '' : elsewhere(again));
  if (again && trouble !== 'unnamed') box.append(button('Try again', again));
  say(box.textContent);
}

/** What is wrong, and what to do about it. */
function words(trouble) {
  if (trouble === null) return [strong('The answer was lost on its way. '), 'Trying again is safe. '];
  if (trouble === 'unnamed') return unnamed();
  const closed = trouble === 'closed';
  const what = strong(closed ? `Capstan answers at ${capstan.url}, but does not let this page call. ` : `Capstan does not answer at ${capstan.url}. `);
  if (capstan.starter === null) return [what, ...alone()];
  const option = closed ? ` --cors-origin ${location.origin}` : '';
  if (capstan.url === capstan.starter) {
    const advice = closed ? 'Start it so that it does:' : 'This sandbox was started with it and ends with it. Start both again:';
    return [what, advice, command(`capstan serve --sandbox${ports()}${option} capabilities`)];
  }
  return [what, closed ? ['Start it with this option:', command(option.trim())] : '', `The one that started this sandbox is at ${capstan.starter}. `].flat();
}

/** What a page says where nobody said where Capstan is; the form that names one goes below it. */
export const unnamed = () => [strong('No Capstan was named. '), 'This sandbox was started by itself. Say below where Capstan is, or in this page’s address (',
  h('code', null, `${location.pathname}?capstan=URL`), '), or when the sandbox is started (', h('code', null, 'capstan sandbox --capstan URL'), ').',
  h('details', null, h('summary', null, 'How to start one'), alone())];

/** How Capstan is started for a sandbox that runs already. */
function alone() {
  const uris = FILES.map((name) => `  --base-uri ${name}=${location.origin} \\\n`).join('');
  return ['The shortest way is ', h('code', null, 'capstan serve --sandbox capabilities'),
    ', which starts a sandbox of its own. To use this one, name it for each namespace:',
    command('KLARNA_API_USERNAME=sandbox-playground-eu KLARNA_API_PASSWORD=sandbox-password \\\n'
      + `capstan serve --cors-origin ${location.origin} \\\n${uris}  ${FILES.map((name) => `capabilities/klarna/${name}.yaml`).join(' \\\n  ')}`)];
}

/** The options that put both where they were. */
function ports() {
  const offset = Number(new URL(capstan.starter).port) - USUAL_REST_PORT;
  const port = Number(location.port) - offset;
  return (offset ? ` --port-offset ${offset}` : '') + (port === USUAL_PORT ? '' : ` --sandbox-port ${port}`);
}

function hint(error) {
  return error.problem?.hint ? `Hint: ${error.problem.hint}.` : '';
}

const strong = (text) => h('strong', null, text);
const command = (text) => h('pre', { tabindex: 0 }, text);
const button = (text, action) => h('button', { type: 'button', class: 'plain', onclick: action }, text);

/** A form to name Capstan with. */
export function elsewhere(again) {
  const usual = capstan.starter ?? `http://${location.hostname}:${USUAL_REST_PORT}`;
  const field = h('input', { id: 'capstan-url', type: 'url', value: usual, required: true });
  return h('form', { class: 'inline', onsubmit: (event) => { event.preventDefault(); capstan.move(field.value); again?.(); } },
    h('label', { for: 'capstan-url' }, capstan.url === null ? 'Where are its REST routes?' : 'Or is its REST adapter somewhere else?'),
    field, h('button', { type: 'submit', class: 'plain' }, 'Use this'));
}
