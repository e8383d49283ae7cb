"""Sends eight tasks at once; prints who did them, and the serials of the certificates."""

import json

from celery_app import work

results = [work.delay(number) for number in range(8)]
print(json.dumps([result.get(timeout=60, interval=0.02) for result in results]))
