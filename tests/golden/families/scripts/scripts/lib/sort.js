function sorted(list) { return list.slice().sort(function (a, b) { return b.value - a.value; }); }
