result = sorted(context['readings']).filter(function (r) { return r.value > context.limit; });
