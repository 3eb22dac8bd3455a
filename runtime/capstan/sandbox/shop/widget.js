// The sandbox's stand-in for the script that a shop loads from Klarna: the same calls, so that a shop's own page can be
// tried against the sandbox. What it draws is ours, and the customer's decisions are made by whoever tries it.

(() => {
  const home = new URL('.', document.currentScript.src).href; // works from any page
  let token = null;
  let loaded = null; // { root, session }

  // --- the calls of a shop

  const payments = {
    init(options) {
      if (!options?.client_token) throw new Error('Klarna.Payments.init needs a client_token');
      token = options.client_token;
      loaded = null;
    },

    async load(options, ...rest) {
      const then = rest.find((argument) => typeof argument === 'function') ?? (() => {});
      const place = typeof options?.container === 'string' ? document.querySelector(options.container) : options?.container;
      if (!place) throw new Error('Klarna.Payments.load: there is no such container');
      const answer = await ask('session', {});
      if (!answer.ok) return then({ show_form: false, error: { message: answer.message } });
      const known = answer.session.payment_method_categories.map((category) => category.identifier);
      const wanted = [options.payment_method_category ?? options.payment_method_categories ?? known].flat();
      if (!wanted.some((category) => known.includes(category))) {
        return then({ show_form: false, error: { invalid_fields: ['payment_method_category'] } });
      }
      loaded = { root: draw(place, answer.session), session: answer.session };
      return then({ show_form: true });
    },

    authorize(...given) { return decide('authorize', given); },
    reauthorize(...given) { return decide('authorize', given); },
    finalize(...given) { return decide('finalize', given); },

    async loadPaymentReview(options, ...rest) {
      const then = rest.find((argument) => typeof argument === 'function') ?? (() => {});
      await payments.load(options, ({ show_form, error }) => then({ show_form, ...(error ? { error } : {}) }));
    },
  };

  async function decide(verb, given) {
    const then = given.find((argument) => typeof argument === 'function') ?? (() => {});
    const [options, data] = sorted(given.filter((argument) => argument && typeof argument === 'object'));
    if (!loaded) return then({ approved: false, show_form: false, error: { message: 'Klarna.Payments.load comes first' } });
    const later = verb === 'authorize' && options.auto_finalize === false;
    const fresh = await ask('session', {}); // the amount may have changed since the form was drawn
    if (!fresh.ok) return then({ approved: false, show_form: false, error: { message: fresh.message } });
    loaded.session = fresh.session;
    const decision = verb === 'finalize' ? 'approve' : await askCustomer(loaded);
    if (decision === 'later') return then({ approved: false, show_form: true });
    if (decision === 'error') return then({ approved: false, show_form: true, error: { message: 'a technical error, as you asked' } });
    const answer = await ask('authorize', { decision, method: method(), data: data ?? {}, auto_finalize: !later });
    if (!answer.ok) return then({ approved: false, show_form: true, error: { message: answer.message, ...answer.fields } });
    return then(answer.result);
  }

  /** Options may be left out, and data too: what names a category is options. */
  function sorted(objects) {
    if (objects.length > 1) return objects;
    const [only = {}] = objects;
    return 'payment_method_category' in only || 'auto_finalize' in only || 'instance_id' in only ? [only, {}] : [{}, only];
  }

  // --- the sandbox

  async function ask(what, body) {
    const url = `${home}widget/${what}`;
    const text = JSON.stringify({ client_token: token, ...body });
    const entry = { method: 'POST', url, path: `/shop/widget/${what}`, headers: { 'Content-Type': 'application/json' }, text, started: performance.now() };
    try {
      const response = await fetch(url, { method: 'POST', headers: entry.headers, body: text });
      const answer = await response.text();
      tell({ ...entry, state: 'answered', status: response.status, answer });
      const value = JSON.parse(answer);
      if (response.ok) return { ok: true, ...value };
      const field = /^Bad value: (.+)$/.exec(value.message)?.[1];
      return { ok: false, message: value.message, fields: field ? { invalid_fields: [field] } : {} };
    } catch {
      tell({ ...entry, state: 'lost' });
      return { ok: false, message: 'the sandbox does not answer', fields: {} };
    }
  }

  /** For the panel of the sandbox's own shop; elsewhere nobody listens. */
  function tell(detail) {
    dispatchEvent(new CustomEvent('sandbox-widget-request', { detail }));
  }

  // --- what is seen

  const METHODS = [
    ['invoice', 'In 30 days', 'First the goods, then the bill'],
    ['fixed_amount', 'In 3 parts', 'A third now, the rest in two months'],
    ['direct_debit', 'Now', 'Straight from the account'],
  ];

  const method = () => loaded.root.querySelector('input:checked')?.value ?? METHODS[0][0];

  function amount({ order_amount: minor, purchase_currency: currency }) {
    const format = new Intl.NumberFormat('en-GB', { style: 'currency', currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  function draw(place, session) {
    const host = document.createElement('div');
    place.replaceChildren(host);
    const root = styled(host.attachShadow({ mode: 'open' }));
    const options = METHODS.map(([value, name, note], index) => element('label', { class: 'choice' },
      element('input', { type: 'radio', name: 'method', value, ...(index ? {} : { checked: '' }) }),
      element('span', {}, element('b', {}, name), element('small', {}, note))));
    root.append(element('section', { 'aria-label': 'Ways to pay' },
      element('fieldset', {}, element('legend', {}, 'How would you like to pay?'), ...options,
        element('p', {}, 'The sandbox’s form, in place of Klarna’s.'))));
    return root;
  }

  /** What the customer says; closing the window is `later`. */
  function askCustomer({ root, session }) {
    const choice = (value, text, kind) => element('button', { value, class: kind }, text);
    const dialog = element('dialog', { 'aria-labelledby': 'title' }, element('form', { method: 'dialog' },
      element('p', { class: 'over' }, 'Sandbox: you are the customer'),
      element('h2', { id: 'title' }, `Pay ${amount(session)}?`),
      element('p', {}, `To ${session.merchant_name}, ${METHODS.find(([value]) => value === method())[1].toLowerCase()}.`),
      choice('approve', 'Approve', 'main'), choice('decline', 'Be declined', ''), choice('later', 'Not now', ''),
      element('details', {}, element('summary', {}, 'For developers'),
        choice('review', 'Approve, with a fraud review to come', ''), choice('reject', 'Approve, then refuse the order', ''),
        choice('error', 'Fail with a technical error', ''))));
    root.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => {
        dialog.remove();
        resolve(dialog.returnValue || 'later');
      });
    });
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // The page around it may be of any colour, and style whatever stands in it: the form has a ground of its own, light or
  // dark as the page says it is.

  /** A sheet rather than a style element: it also works where a page forbids inline styles. */
  function styled(root) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    return root;
  }

  const STYLE = `
    :host { display: block; }
    section, dialog { --ink: #10282c; --soft: #4c6266; --paper: #fff; --line: #c9d4d1; --accent: #0a5f6b; --on: #fff; color-scheme: light;
      background: var(--paper); color: var(--ink); font: 16px/1.4 "Avenir Next", Avenir, "Segoe UI", system-ui, sans-serif; letter-spacing: normal;
      text-align: start; text-transform: none; text-shadow: none; }
    @supports (color: light-dark(#000, #fff)) {
      section, dialog { color-scheme: inherit; --ink: light-dark(#10282c, #e9f1ef); --soft: light-dark(#4c6266, #a5bbbb);
        --paper: light-dark(#fff, #14282c); --line: light-dark(#c9d4d1, #36535b); --accent: light-dark(#0a5f6b, #6fd0cb); --on: light-dark(#fff, #06201f); }
    }
    section { border-radius: 16px; padding: 16px; border: 1px solid var(--line); }
    fieldset { border: 0; margin: 0; padding: 0; display: grid; gap: 8px; }
    legend { padding: 0; margin-bottom: 8px; font-weight: 700; }
    p { margin: 4px 0 0; color: var(--soft); font-size: 14px; }
    .choice { display: flex; gap: 12px; align-items: center; padding: 12px 14px; border: 1.5px solid var(--line); border-radius: 12px; cursor: pointer; }
    .choice:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
    .choice:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }
    input { accent-color: var(--accent); width: 20px; height: 20px; margin: 0; flex: none; outline: none; }
    b, small { display: block; } small { color: var(--soft); font-size: 14px; }
    dialog { border: 0; border-radius: 20px; padding: 28px; width: min(400px, calc(100vw - 32px)); box-sizing: border-box;
      box-shadow: 0 24px 80px #0008; }
    dialog::backdrop { background: #061417b8; }
    .over { font-size: 13px; margin: 0; } h2 { margin: 4px 0 2px; font-size: 28px; letter-spacing: -.02em; }
    form { display: grid; gap: 10px; } form > p + button { margin-top: 12px; }
    button { font: inherit; font-weight: 650; padding: 12px 16px; border-radius: 12px; border: 1.5px solid var(--line); background: none; color: inherit; cursor: pointer; }
    button.main { background: var(--accent); border-color: var(--accent); color: var(--on); }
    button:hover { border-color: var(--accent); } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    summary { cursor: pointer; color: var(--soft); padding: 6px 0; font-size: 14px; } details[open] { display: grid; gap: 8px; }
    details button { display: block; width: 100%; margin-top: 8px; font-weight: 500; text-align: start; }
  `;

  window.Klarna = { ...window.Klarna, Payments: payments };
  window.klarnaAsyncCallback?.();
})();
