"""A few resources on CoAPthon3: coapthon_server.py PORT"""
import logging
import sys
import threading
import time

from coapthon.resources.resource import Resource
from coapthon.server.coap import CoAP

logging.basicConfig(level=logging.ERROR)


class Text(Resource):
    def __init__(self, name, text, coap_server=None):
        super(Text, self).__init__(name, coap_server, visible=True, observable=True, allow_children=False)
        self.payload = text

    def render_GET(self, request):
        return self


class Store(Text):
    def render_PUT(self, request):
        self.payload = request.payload
        return self


class Count(Text):
    count = 0

    def render_POST(self, request):
        Count.count += 1
        self.payload = str(Count.count)
        return self


server = CoAP(("127.0.0.1", int(sys.argv[1])))
server.add_resource("hello/", Text("hello", "hello"))
server.add_resource("large/", Text("large", "a" * 2048))
server.add_resource("time/", Text("time", "tick"))
server.add_resource("store/", Store("store", "stored"))
server.add_resource("switch/", Store("switch", "off"))
server.add_resource("count/", Count("count", "0"))


def tick():
    while True:
        time.sleep(1)
        try:
            server.notify(server.root["/time"])
        except Exception:  # nobody observes, or the observer is gone
            pass


threading.Thread(target=tick, daemon=True).start()
print("ready", flush=True)
server.listen(10)
