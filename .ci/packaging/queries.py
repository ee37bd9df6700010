"""Prints the queries of a dashboard as rules, for `promtool check rules`. Usage: queries.py FILE"""

import json
import sys

# What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$instance": ".*"}

with open(sys.argv[1]) as file:
    dashboard = json.load(file)
print("groups:\n  - name: dashboard\n    rules:")
for panel in dashboard["panels"]:
    for target in panel.get("targets", []):
        query = target["expr"]
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        assert "$" not in query, query
        name = f"panel_{panel['id']}_{target['refId']}"
        print(f"      - record: {name}\n        expr: {json.dumps(query)}")
