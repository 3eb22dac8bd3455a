// The hosted payment page: what is to be paid, and what its visitor does about it.

import { h, money, say } from './dom.js';

const main = document.querySelector('#main');
const id = location.pathname.split('/')[2];
const METHODS = [['invoice', 'In 30 days'], ['fixed_amount', 'In 3 parts'], ['direct_debit', 'Now']];
const ENDS = {
  COMPLETED: 'Paid. Thank you!', CANCELLED: 'Cancelled', DISABLED: 'This page was switched off', FAILED: 'That did not work',
  BACK: 'Back to the shop', ERROR: 'Something went wrong',
};

async function read(path, body) {
  const options = body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const value = await response.json();
  if (!response.ok) throw new Error(value.message);
  return value;
}

async function step(name, choices = {}) {
  main.querySelectorAll('button').forEach((button) => { button.disabled = true; });
  try {
    await read(`/sandbox/hpp/sessions/${id}/${name}`, choices);
  } catch (error) {
    showEnd({ status: 'ERROR' }, error.message);
    return;
  }
  await show(true);
}

/** The page as it is now; after a step its visitor is led on, if the merchant said where. */
async function show(stepped) {
  let about;
  try {
    about = await read(`/hosted/${id}/about`);
    if (!stepped && !about.is_final) await read(`/sandbox/hpp/sessions/${id}/open`, {});
  } catch (error) {
    showEnd({}, error.message);
    return;
  }
  if (stepped && about.next_url) location.assign(about.next_url);
  else if (stepped || about.is_final) showEnd(about);
  else showForm(about);
}

function showEnd(about, words) {
  const title = ENDS[about.status] ?? 'Nothing to pay here';
  const parts = [h('h1', null, title)];
  if (words) parts.push(h('p', null, `${words}.`));
  if (about.order_id) parts.push(h('p', null, 'Order ', h('code', null, about.order_id)));
  if (about.next_url) parts.push(h('p', null, h('a', { class: 'button', href: about.next_url }, 'On to the shop')));
  if (about.is_final === false) parts.push(h('button', { type: 'button', onclick: () => show(false) }, 'Try again'));
  main.replaceChildren(...parts);
  document.title = title;
  say(title);
}

function showForm(about) {
  const total = money(about.order_amount, about.purchase_currency);
  const chosen = () => main.querySelector('input:checked').value;
  const button = (text, kind, action) => h('button', { type: 'button', class: kind, onclick: action }, text);
  main.replaceChildren(
    h('p', { class: 'to' }, `To ${about.merchant_name}`),
    h('h1', null, total),
    h('ul', { class: 'lines' }, (about.order_lines ?? []).map((line) => h('li', null,
      h('span', null, line.quantity > 1 ? `${line.quantity} × ${line.name}` : line.name), h('span', null, money(line.total_amount, about.purchase_currency))))),
    h('fieldset', null, h('legend', null, 'How would you like to pay?'), METHODS.map(([value, name], index) => h('label', null,
      h('input', { type: 'radio', name: 'method', value, checked: index === 0 }), name))),
    button(`Pay ${total}`, 'big', () => step('complete', { payment_method: chosen() })),
    h('div', { class: 'row' }, button('Cancel', 'plain', () => step('cancel')), button('Back to the shop', 'plain', () => step('back'))),
    h('details', null, h('summary', null, 'For developers'), h('div', { class: 'row' },
      button('Be declined', 'plain', () => step('complete', { approved: false })),
      button('Fraud review', 'plain', () => step('complete', { fraud_status: 'PENDING', payment_method: chosen() })),
      button('Fail', 'plain', () => step('error')))));
  document.title = `Pay ${total}`;
}

show(false);
