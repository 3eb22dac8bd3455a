// The start page: where everything is, as the sandbox itself tells it.

import { capstan } from './capstan.js';
import { breakable, h } from './dom.js';

document.querySelector('#docs').href = `${capstan.url}/docs`;

const { accounts, control_paths: paths } = await (await fetch('/sandbox')).json();

document.querySelector('#accounts tbody').append(...accounts.map((account) => h('tr', null,
  h('td', null, account.name), h('td', null, account.username ? h('code', null, account.username) : ''), h('td', null, h('code', null, account.password)))));

const shown = paths.map((path) => path.split(' ')).filter(([, template]) => template.startsWith('/sandbox'));
shown.sort(([, one], [, other]) => one.localeCompare(other));
document.querySelector('#paths').append(...shown.map(([method, template]) => h('li', null,
  h('span', { class: `verb ${method.toLowerCase()}` }, method), h('code', null, breakable(template)))));
