ovens = context["list-ovens"]
least = int(context["threshold"])
result = [oven["site"] for oven in ovens if int(oven["number"]) >= least and listOvens == ovens]
