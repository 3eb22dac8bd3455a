// The start page: where everything is, as the sandbox itself tells it.

import { capstan } from './capstan.js';
import { h } from './dom.js';

document.querySelector('#docs').href = `${capstan.url}/docs`;

const { accounts, control_paths: paths } = await (await fetch('/sandbox')).json();

document.querySelector('#accounts tbody').append(...accounts.map((account) => h('tr', null,
  h('td', null, account.name), h('td', null, account.username ? h('code', null, account.username) : ''), h('td', null, h('code', null, account.password)))));

document.querySelector('#paths').append(...paths.filter((path) => path.includes(' /sandbox')).map((path) => {
  const [method, template] = path.split(' ');
  return h('li', null, h('span', { class: `verb ${method.toLowerCase()}` }, method), h('code', null, template));
}));
