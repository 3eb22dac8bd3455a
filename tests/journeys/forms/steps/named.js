const people = listBakers.filter(isPerson).map((it) => ({id: it.baker_id, name: it.full_name}));
result = {people: people, loaf: 'l-1'};
