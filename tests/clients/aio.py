# One unmodified aiocometd client. Options: {"url", "transport": "websocket" | "long-polling"}.
# The lines are those of lines.mjs; an event does not say by which subscription it came, since aiocometd does not.

import asyncio
import functools
import json
import sys


def takes_loop(function):
    """aiocometd 0.4.5 passes `loop` to asyncio, which takes it no more since Python 3.10."""

    @functools.wraps(function, updated=())
    def without_loop(*arguments, loop=None, **options):
        return function(*arguments, **options)

    return without_loop


for name in ["wait", "wait_for", "sleep", "Semaphore"]:
    setattr(asyncio, name, takes_loop(getattr(asyncio, name)))

import aiocometd  # noqa: E402
from aiocometd import exceptions  # noqa: E402


def say(what):
    print(json.dumps(what), flush=True)


class Observer(aiocometd.Extension):
    """Tells what goes over the meta channels."""

    async def incoming(self, payload, headers=None):
        for message in payload:
            if message["channel"].startswith("/meta/"):
                say({"meta": message})

    async def outgoing(self, payload, headers):
        for message in payload:
            if message["channel"] == "/meta/connect":
                say({"connecting": message["connectionType"]})


async def receive(client):
    while not client.closed:
        try:
            message = await client.receive()
            say({"event": {"channel": message["channel"], "data": message.get("data")}})
        except exceptions.TransportTimeoutError:
            say({"lost": True})
        except exceptions.ClientInvalidOperation:
            return


async def obey(client, command):
    match command["do"]:
        case "handshake":
            await client.open()
            client.receiving = asyncio.ensure_future(receive(client))
        case "subscribe":
            await client.subscribe(command["channel"])
        case "unsubscribe":
            await client.unsubscribe(command["channel"])
        case "publish":
            await client.publish(command["channel"], command["data"])
        case "burst":
            numbers = range(1, command["count"] + 1)
            await asyncio.gather(*(client.publish(command["channel"], number) for number in numbers))
        case "disconnect":
            await client.close()


async def answer(client, command):
    outcome = {"successful": True}
    try:
        await obey(client, command)
    except exceptions.ServerError as refused:
        outcome = {"successful": False, "error": refused.error}
    except exceptions.AiocometdException as failed:
        outcome = {"successful": False, "error": repr(failed)}
    say({"reply": command["number"], **outcome})


async def main():
    options = json.loads(sys.argv[1])
    transport = aiocometd.ConnectionType(options["transport"])
    client = aiocometd.Client(options["url"], transport, connection_timeout=0.5, extensions=[Observer()])
    lines = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say({"ready": True})
    answers = []
    while line := await lines.readline():
        answers.append(asyncio.ensure_future(answer(client, json.loads(line))))


asyncio.run(main())
