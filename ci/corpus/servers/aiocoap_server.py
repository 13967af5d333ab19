"""A few resources on aiocoap: aiocoap_server.py PORT"""
import asyncio
import logging
import sys

import aiocoap
from aiocoap import Message, resource

logging.basicConfig(level=logging.WARNING)
OLD = sys.version_info < (3, 8)  # aiocoap 0.3 binds IPv6 alone, and knows no asyncio.run


class Text(resource.Resource):
    def __init__(self, text=b"hello"):
        super().__init__()
        self.text = text

    async def render_get(self, request):
        return Message(payload=self.text)


class Store(Text):
    async def render_put(self, request):
        self.text = request.payload
        return Message(code=aiocoap.CHANGED)


class Count(resource.Resource):
    count = 0

    async def render_get(self, request):
        return Message(payload=b"%d" % self.count)

    async def render_post(self, request):
        self.count += 1
        return Message(code=aiocoap.CHANGED, payload=b"%d" % self.count)


class Time(resource.ObservableResource):
    ticks = 0

    async def render_get(self, request):
        return Message(payload=b"tick %d" % self.ticks)


async def serve(port):
    site, time = resource.Site(), Time()
    links = resource.WKCResource(site.get_resources_as_linkheader)
    site.add_resource((".well-known", "core"), links)
    stores = {"hello": Text(), "large": Text(b"a" * 2048), "store": Store(b"stored"), "switch": Store(b"off")}
    for name, what in {**stores, "count": Count(), "time": time}.items():
        site.add_resource((name,), what)
    await aiocoap.Context.create_server_context(site, bind=("::ffff:127.0.0.1" if OLD else "127.0.0.1", port))
    print("ready", flush=True)
    while True:
        await asyncio.sleep(1)
        time.ticks += 1
        time.updated_state()


if OLD:
    asyncio.get_event_loop().run_until_complete(serve(int(sys.argv[1])))
else:
    asyncio.run(serve(int(sys.argv[1])))
