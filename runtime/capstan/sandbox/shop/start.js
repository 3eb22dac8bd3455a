// The start page: where everything is, as the sandbox itself tells it.

import { capstan } from './capstan.js';
import { breakable, h } from './dom.js';

document.querySelector('#shop').href = capstan.link('/shop');
if (capstan.url !== null) document.querySelector('#docs a').href = `${capstan.url}/docs`;
else {
  document.querySelector('#docs').replaceChildren(h('p', null, h('strong', null, 'Capstan’s REST routes'),
    h('span', null, 'No Capstan was named: this sandbox was started by itself. ', h('code', null, 'capstan serve --sandbox'),
      ' starts both. One that runs is named by ', h('code', null, '/shop?capstan=URL'), ' or ', h('code', null, 'capstan sandbox --capstan URL'), '.')));
}

const { accounts, control_paths: paths } = await (await fetch('/sandbox')).json();

document.querySelector('#accounts tbody').append(...accounts.map((account) => h('tr', null,
  h('td', null, account.name), h('td', null, account.username ? h('code', null, account.username) : ''), h('td', null, h('code', null, account.password)))));

const shown = paths.map((path) => path.split(' ')).filter(([, template]) => template.startsWith('/sandbox'));
shown.sort(([, one], [, other]) => one.localeCompare(other));
document.querySelector('#paths').append(...shown.map(([method, template]) => h('li', null,
  h('span', { class: `verb ${method.toLowerCase()}` }, method), h('code', null, breakable(template)))));
