// One order as Capstan tells it, and what a merchant can do with it. It is looked at again and again while it is seen,
// so what a terminal or an agent changes shows by itself.

import { capstan, isRefused } from './capstan.js';
import { decimal, h, minorUnits, money, say, time, uuid } from './dom.js';
import { copyButton } from './trail.js';
import { showTrouble } from './trouble.js';

const LOOK_MS = 2000;
const CONFIRM_MS = 6000;
const STATES = {
  AUTHORIZED: 'Nothing captured yet', PART_CAPTURED: 'Captured in part', CAPTURED: 'Captured',
  CANCELLED: 'Cancelled', EXPIRED: 'Expired', CLOSED: 'Closed',
};
const REVIEW = { PENDING: 'Under fraud review', REJECTED: 'Rejected by the fraud review' };

/** An order's state in words, where it is known. */
export const stateOf = (order) => (order.status === 'AUTHORIZED' && REVIEW[order.fraud_status]) || STATES[order.status] || order.status;

/** What an order goes by, in lists and on its page. */
export const nameOf = (order) => order.merchant_reference1 || order.klarna_reference || order.order_id.slice(0, 8);

/** Draw an order; gives what to do when it is left. */
export function showOrder(main, id) {
  const page = new OrderPage(main, id);
  page.look();
  const timer = setInterval(() => { if (!document.hidden) page.look(); }, LOOK_MS);
  return () => {
    clearInterval(timer);
    page.left = true;
  };
}

class OrderPage {
  constructor(main, id) {
    this.path = `/v1/ordermanagement/v1/orders/${encodeURIComponent(id)}`;
    this.id = id;
    this.order = null;
    this.text = '';
    this.keys = new Map(); // what was asked without an answer -> its idempotency key
    this.title = h('h1', null, 'Order');
    this.state = h('p', { class: 'states' });
    this.trouble = h('div');
    this.body = h('div', { class: 'order' });
    main.replaceChildren(this.title, this.state, this.trouble, this.body);
  }

  /** Read the order, and draw it when something is new. */
  async look() {
    if (this.looking || this.left) return;
    this.looking = true;
    try {
      const { value } = await capstan.send('GET', this.path, { quiet: true });
      if (this.left) return;
      if (this.lost) this.trouble.replaceChildren();
      this.lost = false;
      const text = JSON.stringify(value);
      if (text === this.text) return;
      const first = !this.text;
      this.text = text;
      this.order = value;
      this.draw();
      if (!first) say(`The order changed: ${STATES[value.status] ?? value.status}, ${this.money(value.captured_amount)} captured.`);
    } catch (error) {
      if (this.left || this.lost) return; // it was said already
      this.lost = true;
      await showTrouble(this.trouble, error, () => { this.lost = false; this.look(); });
    } finally {
      this.looking = false;
    }
  }

  money(minor) { return money(minor, this.order.purchase_currency); }

  draw() {
    const { order } = this;
    const focused = document.activeElement?.id;
    const typed = new Map([...this.body.querySelectorAll('input')].map((field) => [field.id, [field.value, field.defaultValue]]));
    this.title.textContent = `Order ${nameOf(order)}`;
    document.title = `${this.title.textContent} · Bollard & Bell`;
    this.state.replaceChildren(h('span', { class: `state ${order.status.toLowerCase()}` }, STATES[order.status] ?? order.status),
      REVIEW[order.fraud_status] ? h('span', { class: 'state review' }, REVIEW[order.fraud_status]) : '',
      h('code', null, this.id));
    this.body.replaceChildren(
      h('section', { class: 'panel', 'aria-label': 'Amounts' }, bar(order), this.amounts()),
      h('div', { class: 'column' }, this.actions()), h('div', { class: 'column' }, this.movements(), this.about()), this.elsewhere());
    for (const [id, [value, before]] of typed) {
      const field = document.getElementById(id);
      if (field && value !== before) field.value = value; // somebody was typing
    }
    if (focused) document.getElementById(focused)?.focus();
  }

  amounts() {
    const { order } = this;
    const released = order.order_amount - order.captured_amount - order.remaining_authorized_amount;
    const rows = [
      ['Ordered', order.order_amount, ''], ['Captured', order.captured_amount, 'captured'],
      ['Refunded', order.refunded_amount, 'refunded'], ['Can still be captured', order.remaining_authorized_amount, 'open'],
    ];
    if (released > 0) rows.push(['No longer reserved', released, 'gone']);
    return h('dl', { class: 'amounts' }, rows.map(([label, amount, kind]) => h('div', { class: kind },
      h('dt', null, label), h('dd', { 'data-amount': kind || 'ordered' }, this.money(amount)))));
  }

  // --- what can be done

  actions() {
    const { order } = this;
    const left = order.remaining_authorized_amount;
    const captured = order.captured_amount - order.refunded_amount;
    const open = order.status === 'AUTHORIZED' || order.status === 'PART_CAPTURED';
    const parts = [];
    if (open && left > 0) parts.push(this.amountForm('capture', 'Capture', left, 'captures', 'captured_amount', 'Take money when goods leave.'));
    if (captured > 0) parts.push(this.amountForm('refund', 'Refund', captured, 'refunds', 'refunded_amount', 'Give money back.'));
    const rest = h('div', { class: 'buttons' });
    if (order.status === 'PART_CAPTURED' && left > 0) rest.append(this.sure('release', `Release the other ${this.money(left)}`, '/release-remaining-authorization'));
    if (order.status === 'AUTHORIZED') rest.append(this.sure('cancel', 'Cancel the order', '/cancel'));
    if (rest.childElementCount) parts.push(rest);
    if (!parts.length) parts.push(h('p', { class: 'soft' }, 'Nothing more can be done with this order.'));
    return h('section', { class: 'panel actions', 'aria-labelledby': 'h-do' }, h('h2', { id: 'h-do' }, 'As the merchant'), parts);
  }

  amountForm(name, verb, most, folder, member, note) {
    const { purchase_currency: currency } = this.order;
    const done = { capture: 'captured', refund: 'refunded' }[name];
    const field = h('input', { id: `amount-${name}`, inputmode: 'decimal', autocomplete: 'off', value: decimal(most, currency), 'aria-describedby': `note-${name}` });
    const submit = (event) => {
      event.preventDefault();
      const amount = minorUnits(field.value, currency);
      const wrong = amount === null ? `“${field.value}” is not an amount of ${currency}. Write it like ${decimal(1250, currency)}.`
        : amount === 0 ? `Nothing cannot be ${done}.`
          : amount > most ? `${this.money(amount)} is too much: at most ${this.money(most)} can be ${done}.` : null;
      if (wrong !== null) {
        field.setAttribute('aria-invalid', 'true');
        this.trouble.replaceChildren(h('div', { class: 'alert', role: 'alert' }, wrong));
        field.focus();
        return;
      }
      field.removeAttribute('aria-invalid');
      this.act(`${name} ${amount}`, `/${folder}`, { [member]: amount }, `${this.money(amount)} ${done}`);
    };
    return h('form', { class: 'inline', onsubmit: submit },
      h('label', { for: field.id }, `${verb}, in ${currency}`), field,
      h('button', { id: `do-${name}`, type: 'submit' }, verb),
      h('p', { class: 'soft', id: `note-${name}` }, `${note} At most ${this.money(most)}.`));
  }

  /** A button for what cannot be undone: it wants to be pressed twice. */
  sure(name, label, path) {
    let asked = 0;
    const button = h('button', { id: `do-${name}`, type: 'button', class: 'plain' }, label);
    button.addEventListener('click', () => {
      if (Date.now() - asked > CONFIRM_MS) {
        asked = Date.now();
        button.textContent = 'This is for good. Sure?';
        button.classList.add('sure');
        say(button.textContent);
        setTimeout(() => { button.textContent = label; button.classList.remove('sure'); }, CONFIRM_MS);
      } else {
        this.act(name, path, undefined, name === 'cancel' ? 'The order is cancelled' : 'The rest is released');
      }
    });
    return button;
  }

  /** Do it once: the key stays the same until there is an answer. */
  async act(intent, path, body, done) {
    if (this.acting) return;
    this.acting = true;
    this.trouble.replaceChildren();
    const key = this.keys.get(intent) ?? uuid();
    this.keys.set(intent, key);
    try {
      await capstan.send('POST', this.path + path, { body, key });
      this.keys.delete(intent);
      this.body.querySelectorAll('input').forEach((field) => { field.value = field.defaultValue; }); // what was typed is done
      say(done);
    } catch (error) {
      if (isRefused(error)) this.keys.delete(intent); // else it may have happened, and must not happen twice
      await showTrouble(this.trouble, error, () => this.act(intent, path, body, done));
    } finally {
      this.acting = false;
    }
    await this.look();
  }

  // --- what happened, and what it is about

  movements() {
    const { order } = this;
    const rows = [
      ...(order.captures ?? []).map((item) => ({ at: item.captured_at, kind: 'captured', what: 'Captured', amount: item.captured_amount, item })),
      ...(order.refunds ?? []).map((item) => ({ at: item.refunded_at, kind: 'refunded', what: 'Refunded', amount: item.refunded_amount, item })),
    ].sort((one, other) => String(one.at).localeCompare(String(other.at)));
    return h('section', { class: 'panel', 'aria-labelledby': 'h-moved' }, h('h2', { id: 'h-moved' }, 'Captures and refunds'),
      rows.length ? h('ol', { class: 'moves' }, rows.map((row) => h('li', { class: row.kind },
        h('strong', null, row.what), h('span', { class: 'amount' }, this.money(row.amount)),
        h('span', { class: 'soft' }, [row.at ? time(row.at) : '', row.item.klarna_reference, row.item.description].filter(Boolean).join(', ')))))
        : h('p', { class: 'soft' }, 'None yet.'));
  }

  about() {
    const { order } = this;
    const to = order.shipping_address ?? {};
    return h('section', { class: 'panel', 'aria-labelledby': 'h-about' }, h('h2', { id: 'h-about' }, 'What was ordered'),
      h('ul', { class: 'plain-list' }, (order.order_lines ?? []).map((line) => h('li', null,
        h('span', null, line.quantity > 1 ? `${line.quantity} × ${line.name}` : line.name), h('span', { class: 'amount' }, this.money(line.total_amount))))),
      h('p', { class: 'soft' }, [to.given_name, to.family_name].filter(Boolean).join(' '), to.city ? `, ${to.street_address}, ${to.postal_code} ${to.city}` : ''),
      h('p', { class: 'soft' }, [
        order.created_at ? `Ordered ${time(order.created_at)}.` : '', order.expires_at ? `The reservation ends ${time(order.expires_at)}.` : '',
        order.klarna_reference ? `Klarna’s reference is ${order.klarna_reference}.` : '',
      ].filter(Boolean).join(' ')));
  }

  elsewhere() {
    const left = this.order.remaining_authorized_amount;
    const open = ['AUTHORIZED', 'PART_CAPTURED'].includes(this.order.status) && left > 0;
    const amount = Math.min(500, left);
    const key = uuid(); // in the command itself: pasted twice, it still captures once
    const command = open
      ? `curl -i '${capstan.url}${this.path}/captures' \\\n  -H 'Content-Type: application/json' -H 'Klarna-Idempotency-Key: ${key}' \\\n  -d '{"captured_amount": ${amount}}'`
      : `curl '${capstan.url}${this.path}'`;
    return h('section', { class: 'panel', 'aria-labelledby': 'h-else' }, h('h2', { id: 'h-else' }, 'From somewhere else'),
      h('p', { class: 'soft' }, open ? `Capture ${this.money(amount)} from a terminal, or tell an agent that is connected over MCP. This page follows within two seconds. Sent twice, the command still captures once.` : 'The same order in a terminal.'),
      h('div', { class: 'command' }, h('pre', { tabindex: 0 }, command), copyButton(command)));
  }
}

/** The amounts as one bar. What it shows stands in words below it. */
function bar(order) {
  const kept = order.captured_amount - order.refunded_amount;
  const gone = order.order_amount - order.captured_amount - order.remaining_authorized_amount;
  const parts = [['captured', kept], ['refunded', order.refunded_amount], ['open', order.remaining_authorized_amount], ['gone', gone]];
  const element = h('div', { class: 'bar', 'aria-hidden': 'true' });
  for (const [kind, amount] of parts) {
    if (amount <= 0) continue;
    const part = h('span', { class: kind });
    part.style.flexGrow = String(amount);
    element.append(part);
  }
  return element;
}
