"""Reads OpenMetrics text and prints its series: {"name": [[labels, value], ...]}."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

series = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        series.setdefault(sample.name, []).append([sample.labels, sample.value])
json.dump(series, sys.stdout)
