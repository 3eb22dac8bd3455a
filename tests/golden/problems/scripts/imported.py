"""Mean."""

import statistics

result = statistics.mean(context["values"])
