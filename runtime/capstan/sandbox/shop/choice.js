// A page on which a customer decides something: the amount as people read it, and what its buttons do.

import { h, money } from './dom.js';

const main = document.querySelector('#main');
const amount = document.querySelector('#amount');
const buttons = document.querySelectorAll('[data-act]');
// The control paths are below what the page is about; where that has a path of its own, the page is one of them.
const base = location.pathname.replace(/\/page$/, '');

if (amount) {
  try {
    amount.textContent = money(Number(amount.value), amount.dataset.currency);
  } catch { /* no such currency: it stays as it came */ }
}

async function act(name) {
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' };
  const answer = await fetch(`${base}/${name}`, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.message);
  const next = value.next_url ?? main.dataset.goesTo;
  if (/^https?:/.test(next)) window.top.location = next; // of the shop, where the page stands in a frame
  else location.reload();
}

buttons.forEach((button) => button.addEventListener('click', async () => {
  buttons.forEach((other) => { other.disabled = true; });
  try {
    await act(button.dataset.act);
  } catch (error) {
    document.querySelector('#trouble').replaceChildren(h('p', { class: 'alert' }, h('strong', null, 'That did not work. '), `${error.message}.`));
    buttons.forEach((other) => { other.disabled = false; });
  }
}));
