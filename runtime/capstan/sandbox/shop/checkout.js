// The till: basket, delivery, payment. The session is opened and the order placed through Capstan; between the two the
// customer agrees in the widget, which is all that a browser and Klarna do without the merchant.

import { shop, stepper } from './basket.js';
import { capstan, isRefused } from './capstan.js';
import { h, memory, say } from './dom.js';
import { GOODS, purchase } from './goods.js';
import { showTrouble } from './trouble.js';

const FIELDS = [
  ['given_name', 'First name', 'given-name'], ['family_name', 'Last name', 'family-name'],
  ['street_address', 'Street and number', 'street-address'], ['postal_code', 'Postcode', 'postal-code'],
  ['city', 'Town', 'address-level2'], ['email', 'E-mail', 'email'], ['phone', 'Phone', 'tel'],
];
const LIMITS = { postal_code: 10 };
const CATEGORY = 'klarna';

/** Draw the till; gives what to do when it is left. */
export function showCheckout(main) {
  const till = new Till(main);
  till.draw();
  return () => { till.left = true; };
}

class Till {
  constructor(main) {
    this.main = main;
    this.session = null; // the answer of Capstan, and the purchase it knows
    this.known = '';
    this.token = null; // of an authorization that no order was placed with yet
    this.busy = false;
    this.left = false;
  }

  draw() {
    if (!shop.things) {
      this.main.replaceChildren(h('h1', null, 'Your basket is empty'), h('p', null, h('a', { class: 'button', href: '#/' }, 'To the goods')));
      return;
    }
    this.lines = h('div');
    this.trouble = h('div');
    this.widget = h('div', { class: 'widget', hidden: true });
    this.button = h('button', { type: 'submit', class: 'big' }, 'Choose how to pay');
    this.form = this.address();
    this.main.replaceChildren(h('h1', null, 'Check out'),
      h('div', { class: 'till' },
        h('section', { class: 'panel summary', 'aria-labelledby': 'h-basket' }, h('h2', { id: 'h-basket' }, 'Basket'), this.lines),
        this.form));
    this.drawLines();
  }

  drawLines(item, focus) {
    if (!shop.things) {
      this.draw();
      return;
    }
    const rows = GOODS.filter((found) => shop.basket[found.id]).map((found) => h('li', { 'data-item': found.id },
      h('img', { src: `/shop/art/${found.art}.svg`, alt: '', width: '64', height: '64' }),
      h('span', { class: 'line-name' }, found.name, h('span', { class: 'soft' }, `${shop.money(found.price[shop.country])} each`)),
      stepper(found, (next) => this.drawLines(found, next)),
      h('span', { class: 'line-sum' }, shop.money(found.price[shop.country] * shop.basket[found.id]))));
    const tax = shop.lines.reduce((total, line) => total + line.total_tax_amount, 0);
    this.lines.replaceChildren(
      h('ul', { class: 'lines' }, rows),
      h('dl', { class: 'sums' },
        h('div', null, h('dt', null, 'Delivery'), h('dd', null, shop.money(shop.market.shipping))),
        h('div', null, h('dt', null, `Tax in the total (${shop.market.taxRate / 100} %)`), h('dd', null, shop.money(tax))),
        h('div', { class: 'sum' }, h('dt', null, 'Total'), h('dd', null, shop.money(shop.total)))));
    if (this.session) this.button.textContent = `Pay ${shop.money(shop.total)}`;
    if (item) this.lines.querySelector(`[data-item="${item.id}"] [data-is="${focus}"]`)?.focus();
  }

  address() {
    const person = shop.market.person;
    const fields = FIELDS.map(([name, label, fill]) => h('p', { class: `field ${name}` },
      h('label', { for: `f-${name}` }, label),
      h('input', {
        id: `f-${name}`, name, value: person[name], required: true, maxlength: String(LIMITS[name] ?? 99), autocomplete: fill,
        type: { email: 'email', phone: 'tel' }[name] ?? 'text',
      })));
    return h('form', { class: 'panel', onsubmit: (event) => { event.preventDefault(); this.go(); } },
      h('fieldset', { class: 'fields' }, h('legend', null, 'Deliver to'), fields,
        h('p', { class: 'soft field wide' }, `${person.given_name} is made up. Change what you like.`)),
      h('h2', null, 'Pay'), this.widget, this.trouble, this.button,
      h('p', { class: 'soft' }, 'No money moves: the customer’s part is played by you.'));
  }

  get purchase() {
    const address = { country: shop.country };
    for (const [name] of FIELDS) address[name] = this.form.elements[name].value.trim();
    return { ...purchase(shop.basket, shop.country, address), merchant_reference1: this.reference ??= reference() };
  }

  /** The next step: a session with the widget, then the payment. */
  async go() {
    if (this.busy) return;
    this.work(true);
    this.trouble.replaceChildren();
    try {
      if (this.session === null) await this.open();
      else await this.pay();
    } catch (error) {
      if (isRefused(error)) this.token = null;
      if (error.status === 404) this.forget();
      await showTrouble(this.trouble, error, () => this.go());
    } finally {
      this.work(false);
    }
  }

  work(busy) {
    this.busy = busy;
    this.button.setAttribute('aria-disabled', String(busy));
    this.button.classList.toggle('busy', busy);
  }

  forget() {
    this.session = null;
    this.token = null;
    this.widget.hidden = true;
    this.button.textContent = 'Choose how to pay';
  }

  async open() {
    const wanted = this.purchase;
    const { value } = await capstan.send('POST', '/v1/payments/v1/sessions', { body: wanted });
    this.widget.hidden = false;
    window.Klarna.Payments.init({ client_token: value.client_token });
    const shown = await asked((then) => window.Klarna.Payments.load({ container: this.widget, payment_method_category: CATEGORY }, then));
    if (!shown.show_form) throw new Error(shown.error?.message ?? 'This way of paying is not offered.');
    this.session = value;
    this.known = JSON.stringify(wanted);
    this.button.textContent = `Pay ${shop.money(shop.total)}`;
    say('Choose how to pay, then press Pay.');
  }

  async pay() {
    const wanted = this.purchase;
    if (JSON.stringify(wanted) !== this.known) {
      // Basket or address changed since: the order must be what the customer agrees to.
      await capstan.send('POST', `/v1/payments/v1/sessions/${this.session.session_id}`, { body: wanted });
      this.known = JSON.stringify(wanted);
      this.token = null;
    }
    // The answer to an order may get lost. The same token with the same order is the same order, so it is tried with that.
    if (this.token === null) {
      const answer = await asked((then) => window.Klarna.Payments.authorize({ payment_method_category: CATEGORY }, {}, then));
      if (this.left) return;
      if (!answer.approved) {
        this.notApproved(answer);
        return;
      }
      this.token = answer.authorization_token;
    }
    const { value: order } = await capstan.send('POST', `/v1/payments/v1/authorizations/${this.token}/order`, { body: wanted });
    remember(order, wanted);
    shop.empty();
    location.hash = `#/order/${order.order_id}`;
  }

  notApproved(answer) {
    const text = answer.error ? `The payment failed: ${answer.error.message ?? 'a technical error'}. Nothing was ordered.`
      : answer.show_form ? 'Not paid yet. You can change something, or pay again.'
        : 'The payment was declined. Nothing was ordered.';
    this.trouble.replaceChildren(h('div', { class: 'alert', role: 'alert' }, text));
    if (!answer.show_form) this.forget();
  }
}

const asked = (question) => new Promise((resolve) => { question(resolve); });

const reference = () => `BB-${Date.now().toString(36).toUpperCase()}`;

function remember(order, { merchant_reference1, order_amount, purchase_currency }) {
  const bought = { order_id: order.order_id, merchant_reference1, order_amount, purchase_currency };
  memory.set('orders', [bought, ...memory.get('orders', [])].slice(0, 8));
}
