// What to say when something did not work.

import { capstan, NoAnswer, USUAL } from './capstan.js';
import { h, say } from './dom.js';

/** Put an error into words; `again` is what a retry does. Anything but Capstan's own errors is a fault of the page. */
export async function showTrouble(place, error, again) {
  const box = h('div', { class: 'alert', role: 'alert', tabindex: -1 });
  place.replaceChildren(box);
  if (!(error instanceof NoAnswer)) {
    const unknown = error.problem?.outcome === 'unknown';
    box.append(h('strong', null, unknown ? 'It may have worked. ' : 'That did not work. '), error.message, ' ', hint(error));
    if (again && unknown) box.append('Trying again is safe: it still happens only once. ');
    if (again && (unknown || error.problem?.retry_safe)) box.append(button('Try again', again));
    return;
  }
  const trouble = await capstan.trouble();
  if (trouble === null) {
    box.append(h('strong', null, 'The answer was lost on its way. '), 'Trying again is safe.');
  } else if (trouble === 'closed') {
    box.append(h('strong', null, `Capstan answers at ${capstan.url}, but does not let this page call. `), 'Start it with ',
      h('pre', { tabindex: 0 }, `capstan serve --sandbox --cors-origin ${location.origin} capabilities`));
  } else {
    box.append(h('strong', null, `Capstan does not answer at ${capstan.url}. `), 'Start it, then try again:',
      h('pre', { tabindex: 0 }, 'capstan serve --sandbox capabilities'), elsewhere(again));
  }
  if (again) box.append(button('Try again', again));
  say(box.textContent);
}

function hint(error) {
  return error.problem?.hint ? `Hint: ${error.problem.hint}.` : '';
}

const button = (text, action) => h('button', { type: 'button', class: 'plain', onclick: action }, text);

function elsewhere(again) {
  const field = h('input', { id: 'capstan-url', type: 'url', value: USUAL, required: true });
  return h('form', { class: 'inline', onsubmit: (event) => { event.preventDefault(); capstan.move(field.value); again?.(); } },
    h('label', { for: 'capstan-url' }, 'Or is its REST adapter somewhere else?'), field, h('button', { type: 'submit', class: 'plain' }, 'Use this'));
}
