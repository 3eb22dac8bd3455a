// What is in the basket and where it goes; it survives a reload.

import { h, memory, money, say } from './dom.js';
import { MARKETS, orderLines, sum } from './goods.js';

const listeners = new Set();

export const shop = {
  country: memory.get('country', 'GB') in MARKETS ? memory.get('country', 'GB') : 'GB',
  basket: memory.get('basket', {}),

  get market() { return MARKETS[this.country]; },
  get things() { return Object.values(this.basket).reduce((total, number) => total + number, 0); },
  get lines() { return orderLines(this.basket, this.country); },
  get total() { return sum(this.lines, 'total_amount'); },
  money(minor) { return money(minor, this.market.currency); },

  put(id, quantity) {
    if (quantity > 0) this.basket[id] = Math.min(quantity, 99);
    else delete this.basket[id];
    this.keep();
  },
  empty() {
    this.basket = {};
    this.keep();
  },
  move(country) {
    this.country = country;
    this.keep();
  },
  keep() {
    memory.set('basket', this.basket);
    memory.set('country', this.country);
    listeners.forEach((listener) => listener());
  },
  onChange(listener) { listeners.add(listener); },
};

/** Less, the number, more. `show` draws it anew and brings the focus back to where it was. */
export function stepper(item, show) {
  const held = shop.basket[item.id] ?? 0;
  const set = (quantity, focus) => {
    shop.put(item.id, quantity);
    say(`${item.name}: ${quantity} in the basket`);
    show(quantity ? focus : 'more');
  };
  if (!held) {
    return h('button', { type: 'button', 'data-is': 'more', 'aria-label': `Add ${item.name} to the basket`, onclick: () => set(1, 'more') }, 'Add');
  }
  return h('div', { class: 'stepper', role: 'group', 'aria-label': `${item.name} in the basket` },
    h('button', { type: 'button', 'data-is': 'less', 'aria-label': 'One less', onclick: () => set(held - 1, 'less') }, '−'),
    h('output', null, String(held)),
    h('button', { type: 'button', 'data-is': 'more', 'aria-label': 'One more', onclick: () => set(held + 1, 'more') }, '+'));
}
