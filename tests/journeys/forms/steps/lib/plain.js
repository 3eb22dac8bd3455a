function isPerson(it) {
  var result = typeof it === 'object';
  return result;
}
