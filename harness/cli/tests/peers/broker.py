# A small broker for tests: broker.py PORT [NAME=VALUE ...]. Correct for MQTT 3.1.1 and 5 as far as the tests go: QoS 0 to 2, wildcards,
# take-over, retained messages. It keeps no session. What it does wrong, it is told:
#   start=S       it sleeps so long before it listens           starts=FILE   it leaves a line there at each start
#   slow=S        it waits so long before each answer           hang=N        it hangs for ever at the Nth PUBLISH to site/
#   dies=N        it exits at the Nth PUBLISH to site/          restarts=N    it is away for a second then, and begins anew
#   glued=1       CONNACK comes in one segment with a message        stops=1   a client "big" is read no more once it is connected
#   ends=TOPIC    a PUBLISH to this topic throws the client "victim" out
#   leaks=N       after N PUBLISHes to site/ it grants no SUBSCRIBE to cmd/ any more
import os, socket, sys, threading, time

port = int(sys.argv[1])
told = dict(word.split("=", 1) for word in sys.argv[2:])
number = lambda name: float(told.get(name, 0))
lock = threading.RLock()
links, retained, count = {}, {}, 0


def text(data, at):
    end = at + 2 + int.from_bytes(data[at:at + 2], "big")
    return data[at + 2:end], end


def length(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def packet(first, body):
    size, n = b"", len(body)
    while True:
        size, n = size + bytes([n % 128 | (128 if n > 127 else 0)]), n // 128
        if not n:
            return bytes([first]) + size + body


def matches(pattern, topic):
    pattern, topic = pattern.split(b"/"), topic.split(b"/")
    for n, level in enumerate(pattern):
        if level == b"#":
            return True
        if n >= len(topic) or level not in (b"+", topic[n]):
            return False
    return len(pattern) == len(topic)


class Link:
    def __init__(self, sock):
        self.sock, self.id, self.v5, self.filters, self.next = sock, None, False, {}, 0

    def say(self, first, body, more=b""):
        if number("slow"):
            time.sleep(number("slow"))
        with lock:
            try:
                self.sock.sendall(packet(first, body) + more)
            except OSError:
                pass

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self):
        try:
            while True:
                first, size, shift = self.exactly(1)[0], 0, 0
                while True:
                    byte = self.exactly(1)[0]
                    size, shift = size | (byte & 127) << shift, shift + 7
                    if byte < 128:
                        break
                self.hear(first, self.exactly(size))
        except (EOFError, OSError, IndexError):
            pass
        with lock:
            if links.get(self.id) is self:
                del links[self.id]
        self.sock.close()

    def hear(self, first, body):
        kind = first >> 4
        if (self.id is None) != (kind == 1):
            raise EOFError
        if kind == 14:
            raise EOFError
        {1: self.connect, 3: self.publish, 6: self.release, 8: self.subscribe, 10: self.unsubscribe, 12: self.ping,
         4: self.ignore, 5: self.received, 7: self.ignore}[kind](first, body)

    def ignore(self, first, body):
        pass

    def received(self, first, body):
        self.say(0x62, body[:2])

    def ping(self, first, body):
        self.say(0xD0, b"")

    def properties(self, body, at):
        if not self.v5:
            return at
        n, at = length(body, at)
        return at + n

    def connect(self, first, body):
        name, at = text(body, 0)
        self.v5 = body[at] == 5
        at = self.properties(body, at + 4)
        self.id, at = text(body, at)
        with lock:
            other, links[self.id] = links.get(self.id), self
            if other:
                other.sock.shutdown(socket.SHUT_RDWR)
        glued = packet(0x30, b"\0\1x" + (b"\0" if self.v5 else b"") + b"1") if number("glued") else b""
        self.say(0x20, b"\0\0" + (b"\0" if self.v5 else b""), glued)
        if number("stops") and self.id == b"big":
            time.sleep(1000)

    def subscribe(self, first, body):
        at, codes = self.properties(body, 2), b""
        new = []
        while at < len(body):
            pattern, at = text(body, at)
            granted = not ("leaks" in told and count >= number("leaks") and pattern.startswith(b"cmd/"))
            if granted:
                self.filters[pattern] = body[at] & 3
                new.append(pattern)
            codes, at = codes + bytes([body[at] & 3 if granted else 128]), at + 1
        self.say(0x90, body[:2] + (b"\0" if self.v5 else b"") + codes)
        for topic, payload in list(retained.items()):
            if any(matches(pattern, topic) for pattern in new):
                self.deliver(topic, payload, 0, 1)

    def unsubscribe(self, first, body):
        at, codes = self.properties(body, 2), b""
        while at < len(body):
            pattern, at = text(body, at)
            codes += b"\0" if self.filters.pop(pattern, None) is not None else b"\x11"
        self.say(0xB0, body[:2] + (b"\0" + codes if self.v5 else b""))

    def publish(self, first, body):
        qos = first >> 1 & 3
        topic, at = text(body, 0)
        if topic.decode() == told.get("ends"):
            links[b"victim"].sock.shutdown(socket.SHUT_RDWR)
        if topic.startswith(b"site/"):
            self.count()
        number_, at = (body[at:at + 2], at + 2) if qos else (b"", at)
        payload = body[self.properties(body, at):]
        if first & 1:
            retained[topic] = payload
            if not payload:
                del retained[topic]
        if qos:
            self.say(0x40 if qos == 1 else 0x50, number_)
        for link in list(links.values()):
            granted = [q for pattern, q in link.filters.items() if matches(pattern, topic)]
            if granted:
                link.deliver(topic, payload, min(qos, max(granted)), 0)

    def deliver(self, topic, payload, qos, keeps):
        with lock:
            self.next = self.next % 65535 + 1
        ident = self.next.to_bytes(2, "big") if qos else b""
        nothing = b"\0" if self.v5 else b""
        self.say(0x30 | qos << 1 | keeps, len(topic).to_bytes(2, "big") + topic + ident + nothing + payload)

    def release(self, first, body):
        self.say(0x70, body[:2])

    def count(self):
        global count
        with lock:
            count += 1
            if count == number("hang"):
                time.sleep(1000)
            if count == number("dies"):
                os._exit(3)
            if count == number("restarts"):
                listener.close()
                os.execv(sys.executable, [sys.executable, "-u", sys.argv[0], str(port), "start=1"])


if "starts" in told:
    with open(told["starts"], "a") as file:
        file.write("started\n")
time.sleep(number("start"))
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(200)
while True:
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=Link(sock).serve, daemon=True).start()
