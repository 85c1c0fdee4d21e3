"""Auth0's own SDK for Python, as bench/src/peers.rs asks it: one line of JSON says what to call, each further line how
many milliseconds to call for, and each is answered with one line. The synchronous client in threads: its asynchronous
one takes about four times the processor time a call."""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from auth0.management import ManagementClient

task = json.loads(sys.stdin.readline())
address, user, callers = task["address"], task["user"], task["callers"]
client = ManagementClient(
    domain=address["base_url"].removeprefix("https://"),
    client_id=address["client_id"],
    client_secret=address["client_secret"],
    audience=address["audience"],
)


def cpu_us() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def caller(until: float) -> int:
    calls = 0
    while time.perf_counter() < until:
        if client.users.get(user).user_id != user:
            raise RuntimeError("another user")
        calls += 1
    return calls


with ThreadPoolExecutor(callers) as threads:
    for line in sys.stdin:
        begun, used = time.perf_counter(), cpu_us()
        until = begun + int(line) / 1e3
        calls = sum(threads.map(caller, [until] * callers))
        seconds = time.perf_counter() - begun
        print(json.dumps({"calls": calls, "seconds": seconds, "cpu_us": cpu_us() - used}), flush=True)
