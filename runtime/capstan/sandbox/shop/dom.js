// Building blocks of the pages: elements, money, and a few words for screen readers.

/** An element: attributes, handlers (`onclick`), then children; text is always text. */
export function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== 'string') element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const formats = new Map();

function format(currency, locale) {
  const name = `${locale} ${currency}`;
  if (!formats.has(name)) formats.set(name, new Intl.NumberFormat(locale, { style: 'currency', currency }));
  return formats.get(name);
}

const digits = (currency) => format(currency, 'en').resolvedOptions().maximumFractionDigits;

/** Minor units as people read them: 1250 GBP is £12.50, and 1250 JPY is JP¥1,250. */
export const money = (minor, currency, locale = 'en-GB') => format(currency, locale).format(minor / 10 ** digits(currency));

/** Minor units as a form field holds them: 12.50 */
export const decimal = (minor, currency) => (minor / 10 ** digits(currency)).toFixed(digits(currency));

/** What a person typed as minor units, without arithmetic that could round; null when it is no such amount. */
export function minorUnits(text, currency) {
  const places = digits(currency);
  const found = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? '').length > places) return null;
  return Number(found[1] + (found[2] ?? '').padEnd(places, '0'));
}

/** Have something read out. */
export function say(text) {
  document.querySelector('#said').textContent = text;
}

/** A path that may be broken after each slash. */
export const breakable = (path) => path.split(/(?<=\/)/).flatMap((part) => [part, h('wbr')]);

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

export const time = (text) => new Date(text).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** A browser that is not on localhost has no randomUUID. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** What the shop remembers in this browser. */
export const memory = {
  get(name, otherwise) {
    try { return JSON.parse(localStorage.getItem(`shop.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  set(name, value) {
    try { localStorage.setItem(`shop.${name}`, JSON.stringify(value)); } catch { /* private windows may refuse */ }
  },
};
