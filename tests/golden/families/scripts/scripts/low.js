result = { value: Math.min.apply(null, context['readings'].map(function (r) { return r.value; })) };
