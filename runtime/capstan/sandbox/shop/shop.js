// The shop: goods, and the way between its pages. The till is in checkout.js, orders are in order.js.

import { shop, stepper } from './basket.js';
import { capstan } from './capstan.js';
import { showCheckout } from './checkout.js';
import { count, h, memory, money } from './dom.js';
import { GOODS, MARKETS } from './goods.js';
import { nameOf, showOrder, stateOf } from './order.js';
import { showTrail } from './trail.js';
import { elsewhere, unnamed } from './trouble.js';

const main = document.querySelector('#main');
let leave = () => {}; // what the present page wants done when it goes

// --- goods

function showGoods() {
  main.append(
    h('section', { class: 'hero' },
      h('h1', null, 'Good gear for small boats.'),
      h('p', null, 'Fill a basket, pay as a made-up customer, and watch every request on its way through Capstan.')),
    capstan.url === null ? h('div', { class: 'alert note' }, unnamed(), elsewhere(() => show(false))) : '',
    h('ul', { class: 'goods' }, GOODS.map((item) => h('li', null, card(item)))),
    h('div', { id: 'to-till', class: 'to-till', hidden: true }, h('span'), h('a', { class: 'button', href: '#/checkout' }, 'Check out')),
    orders(),
  );
  showBasket();
  fetchOrders();
}

function card(item) {
  const place = h('div');
  const show = (focus) => {
    place.replaceChildren(stepper(item, show));
    if (focus) place.querySelector(`[data-is="${focus}"]`).focus();
  };
  show();
  return h('article', { class: 'card', 'aria-label': item.name },
    h('img', { src: `/shop/art/${item.art}.svg`, alt: '', width: '240', height: '240' }),
    h('div', { class: 'card-text' }, h('h2', null, item.name), h('p', null, item.note)),
    h('div', { class: 'card-foot' }, h('span', { class: 'price' }, shop.money(item.price[shop.country])), place));
}

// --- orders to look at

function orders() {
  const own = memory.get('orders', []);
  const field = h('input', { id: 'order-id', required: true, spellcheck: false, autocomplete: 'off' });
  const open = (event) => {
    event.preventDefault();
    location.hash = `#/order/${encodeURIComponent(field.value.trim())}`;
  };
  return h('section', { class: 'orders' },
    h('h2', null, 'Orders'),
    h('div', { id: 'own' }, ownOrders(own)),
    h('div', { id: 'samples', hidden: true }, h('h3', null, 'Already in the sandbox'), h('ul', { class: 'links' })),
    h('form', { class: 'inline', onsubmit: open },
      h('label', { for: 'order-id' }, 'Open an order by its id'), field, h('button', { type: 'submit', class: 'plain' }, 'Open')));
}

const orderLink = (order) => h('li', null,
  h('a', { href: `#/order/${order.order_id}` }, nameOf(order)),
  h('span', { class: 'soft' }, [stateOf(order), money(order.order_amount, order.purchase_currency)].filter(Boolean).join(', ')));

const ownOrders = (orders) => (orders.length ? h('ul', { class: 'links' }, orders.map(orderLink))
  : h('p', { class: 'soft' }, 'Yours appear here once you have paid.'));

/** The orders as they are now; those that the sandbox has forgotten go from this browser too. */
async function fetchOrders() {
  const place = document.querySelector('#samples');
  const ids = memory.get('orders', []).map((order) => order.order_id);
  const response = await fetch(`/shop/orders?${new URLSearchParams(ids.map((id) => ['id', id]))}`).catch(() => null);
  if (!response?.ok) return;
  const { samples, asked } = await response.json();
  memory.set('orders', memory.get('orders', []).filter(({ order_id: id }) => !ids.includes(id) || asked.some((order) => order.order_id === id)));
  document.querySelector('#own')?.replaceChildren(ownOrders(asked));
  place.hidden = !samples.length;
  place.querySelector('ul').replaceChildren(...samples.map(orderLink));
}

// --- what every page has

function showBasket() {
  const link = document.querySelector('#basket');
  link.replaceChildren('Basket', h('span', { class: 'pill' }, shop.things ? String(shop.things) : '0'));
  const words = `${count(shop.things, 'thing')}, ${shop.money(shop.total)} with delivery`;
  link.setAttribute('aria-label', shop.things ? `Basket, ${words}` : 'Basket, empty');
  const bar = document.querySelector('#to-till');
  if (!bar) return;
  bar.hidden = !shop.things;
  bar.firstChild.textContent = words;
}

function showMarkets() {
  const field = document.querySelector('#market');
  const option = ([country, market]) => h('option', { value: country, selected: country === shop.country }, `${market.name}, ${market.currency}`);
  field.replaceChildren(...Object.entries(MARKETS).map(option));
  field.addEventListener('change', () => {
    shop.move(field.value);
    show(false);
  });
}

/** The page that the address names. */
function show(moved = true) {
  leave();
  leave = () => {};
  main.replaceChildren();
  const [, page, id] = location.hash.split('/');
  document.querySelector('.market').hidden = page === 'order';
  if (page === 'checkout') leave = showCheckout(main);
  else if (page === 'order' && id) leave = showOrder(main, decodeURIComponent(id));
  else showGoods();
  document.querySelector('#start').href = capstan.link('/');
  document.title = `${main.querySelector('h1').textContent} · Bollard & Bell`;
  if (!moved) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

addEventListener('hashchange', () => show());
shop.onChange(showBasket);
showTrail(document.querySelector('#trail'));
showMarkets();
showBasket();
show(false);
