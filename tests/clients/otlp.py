"""Decodes export requests of OTLP (JSON, one a line) into the real messages and prints the spans.

OTLP writes ids in hex where protobuf's own JSON has base64; nothing else is changed on the way.
"""

import base64
import json
import sys

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

spans = []
for line in sys.stdin:
    request = json.loads(line)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    message = Parse(json.dumps(request), ExportTraceServiceRequest())
    # What arrives on the wire is read back from the wire.
    message = ExportTraceServiceRequest.FromString(message.SerializeToString())
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8
                spans.append(
                    {
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "span": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                        "status": span.status.code,
                        "attributes": {a.key: a.value.string_value for a in span.attributes},
                    }
                )
json.dump(spans, sys.stdout)
