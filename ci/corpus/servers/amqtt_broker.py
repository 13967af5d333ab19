"""An anonymous broker with amqtt (0.11 changed its configuration): amqtt_broker.py PORT"""
import asyncio
import importlib.util
import logging
import sys

from amqtt.broker import Broker

logging.basicConfig(level=logging.WARNING)
config = {"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}}}
if importlib.util.find_spec("amqtt.contexts"):
    config["plugins"] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
else:
    config["sys_interval"] = 0
    config["auth"] = {"allow-anonymous": True, "plugins": ["auth_anonymous"]}
    config["topic-check"] = {"enabled": True, "plugins": ["topic_taboo"]}


async def serve():
    await Broker(config).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(serve())
