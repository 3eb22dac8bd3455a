// The way to Capstan's REST adapter. Every request is told to whoever listens: the panel beside the shop shows them.

const WAIT_MS = 35000;
const ORIGIN = /^https?:\/\/[^/?#]+\/?$/;
const listeners = new Set();

/** Be told of every request, before (`state: 'sent'`) and after. */
export const onRequest = (listener) => listeners.add(listener);
export const tell = (entry) => listeners.forEach((listener) => listener(entry));

/** Capstan said no, in problem details. */
export class Refused extends Error {
  constructor(status, problem) {
    super(words(status, problem));
    this.status = status;
    this.problem = problem;
  }
}

/** Whether it is sure that nothing happened, because somebody said no. */
export const isRefused = (error) => error instanceof Refused && error.problem?.outcome === 'refused';

/** No answer came: nobody knows whether the request had an effect. */
export class NoAnswer extends Error {}

/** Nobody said where Capstan is, so nothing was sent. */
export class NotNamed extends NoAnswer {}

function words(status, problem) {
  const upstream = problem?.upstream?.body;
  const theirs = [upstream?.error_messages, upstream?.error_text].flat().filter(Boolean).join(' ');
  const code = upstream?.error_code ?? problem?.code;
  const said = theirs || problem?.detail || 'The request was refused';
  return `${said.replace(/\.?$/, '.')} (${status}${code ? ` ${code}` : ''})`;
}

const withoutSlash = (url) => url.replace(/\/+$/, '');

/** The Capstan that this page's address names: `?capstan=URL`. */
function named() {
  const url = new URLSearchParams(location.search).get('capstan');
  return url && ORIGIN.test(url) ? withoutSlash(url) : null;
}

/** The Capstan that the sandbox was told of when it was started. */
async function told() {
  try {
    return (await (await fetch('/sandbox/capstan')).json()).rest;
  } catch {
    return null;
  }
}

const starter = await told();

export const capstan = {
  starter,
  url: named() ?? starter, // null where nobody said

  /** Another one from now on; the page's address keeps it. */
  move(url) {
    this.url = withoutSlash(url);
    history.replaceState(null, '', this.link(location.pathname) + location.hash);
  },

  /** Another page of the sandbox, which has to know too what this one was told. */
  link(path) {
    return this.url === null || this.url === starter ? path : `${path}?capstan=${encodeURIComponent(this.url)}`;
  },

  /**
   * One request; the answer's headers and its JSON.
   * `key` is its idempotency key, `quiet` keeps it out of the panel unless the answer differs from the last one.
   */
  async send(method, path, { body, key, quiet = false } = {}) {
    if (this.url === null) throw new NotNamed('Nobody said where Capstan is.');
    const headers = {};
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key) headers['Klarna-Idempotency-Key'] = key;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const entry = { to: 'Capstan', method, url: this.url + path, path, headers, text, quiet, started: performance.now() };
    tell({ ...entry, state: 'sent' });
    let response;
    let answer;
    try {
      response = await fetch(entry.url, { method, headers, body: text, signal: AbortSignal.timeout(WAIT_MS) });
      answer = await response.text();
    } catch {
      tell({ ...entry, state: 'lost' });
      throw new NoAnswer(`Capstan does not answer at ${this.url}.`);
    }
    tell({ ...entry, state: 'answered', status: response.status, answer, answered: response.headers });
    const value = parsed(answer);
    if (!response.ok) throw new Refused(response.status, value);
    return { status: response.status, headers: response.headers, value };
  },

  /** Why it does not answer: `down`, or `closed` to this page; null when it does. */
  async trouble() {
    try {
      await fetch(`${this.url}/openapi.json`, { signal: AbortSignal.timeout(4000) });
      return null;
    } catch {
      // Without asking for permission to read the answer one learns at least whether there is one.
      return fetch(`${this.url}/openapi.json`, { mode: 'no-cors', signal: AbortSignal.timeout(4000) })
        .then(() => 'closed', () => 'down');
    }
  },
};

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The same request for a terminal. */
export function curl(entry) {
  const parts = ['curl -i'];
  if (entry.method !== 'GET') parts.push(`-X ${entry.method}`);
  const first = `${parts.join(' ')} ${quoted(entry.url)}`;
  const rest = Object.entries(entry.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  if (entry.text !== undefined) rest.push(`--data-raw ${quoted(entry.text)}`);
  return [first, ...rest].join(' \\\n  ');
}
