// What is sold, to whom, and what it costs. Prices are in minor units and include tax.

export const MARKETS = {
  GB: {
    name: 'United Kingdom', currency: 'GBP', locale: 'en-GB', taxRate: 2000, shipping: 490,
    person: {
      given_name: 'Robin', family_name: 'Marsh', email: 'robin.marsh@example.com', phone: '+447700900123',
      street_address: '7 Harbour Steps', postal_code: 'TR19 6XX', city: 'Penhallow', country: 'GB',
    },
  },
  SE: {
    name: 'Sweden', currency: 'SEK', locale: 'sv-SE', taxRate: 2500, shipping: 5900,
    person: {
      given_name: 'Alva', family_name: 'Strand', email: 'alva.strand@example.com', phone: '+46701740605',
      street_address: 'Bryggan 7', postal_code: '12345', city: 'Ekhamn', country: 'SE',
    },
  },
  DE: {
    name: 'Germany', currency: 'EUR', locale: 'de-DE', taxRate: 1900, shipping: 590,
    person: {
      given_name: 'Jule', family_name: 'Hansen', email: 'jule.hansen@example.com', phone: '+491701234567',
      street_address: 'Am Kai 7', postal_code: '12345', city: 'Möwenstedt', country: 'DE',
    },
  },
};

export const GOODS = [
  { id: 'LANTERN', name: 'Storm lantern', note: 'Burns on in a gale.', art: 'lantern', price: { GB: 4200, SE: 54900, DE: 4900 } },
  { id: 'MUG', name: 'Watch mug', note: 'Enamel. Survives the deck.', art: 'mug', price: { GB: 1450, SE: 18900, DE: 1690 } },
  { id: 'ROPE', name: 'Mooring line', note: '12 m, spliced by hand.', art: 'rope', price: { GB: 2875, SE: 37900, DE: 3350 } },
  { id: 'CAP', name: 'Watch cap', note: 'Wool, for the dog watch.', art: 'cap', price: { GB: 2400, SE: 29900, DE: 2790 } },
  { id: 'COMPASS', name: 'Pocket compass', note: 'Points north, mostly.', art: 'compass', price: { GB: 6499, SE: 84900, DE: 7499 } },
  { id: 'BELL', name: 'Ship’s bell', note: 'Brass, 8 inches, loud.', art: 'bell', price: { GB: 8900, SE: 119000, DE: 10900 } },
];

const tax = (total, rate) => Math.round((total * rate) / (10000 + rate));

function line(type, reference, name, quantity, price, rate) {
  const total = quantity * price;
  return {
    type, reference, name, quantity, unit_price: price, tax_rate: rate, total_amount: total,
    total_discount_amount: 0, total_tax_amount: tax(total, rate),
  };
}

/** A basket (`{LANTERN: 2}`) as order lines; delivery is one of them. */
export function orderLines(basket, country) {
  const market = MARKETS[country];
  const lines = GOODS.filter((item) => basket[item.id] > 0)
    .map((item) => line('physical', item.id, item.name, basket[item.id], item.price[country], market.taxRate));
  if (lines.length) lines.push(line('shipping_fee', 'DELIVERY', 'Delivery', 1, market.shipping, market.taxRate));
  return lines;
}

export const sum = (lines, member) => lines.reduce((total, item) => total + item[member], 0);

/** What a payment session and the order placed with it are about. */
export function purchase(basket, country, address) {
  const market = MARKETS[country];
  const lines = orderLines(basket, country);
  return {
    purchase_country: country, purchase_currency: market.currency, locale: market.locale,
    order_amount: sum(lines, 'total_amount'), order_tax_amount: sum(lines, 'total_tax_amount'), order_lines: lines,
    billing_address: address, shipping_address: address,
  };
}
