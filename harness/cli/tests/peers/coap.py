# A small CoAP server for tests: coap.py PORT [NAME=VALUE ...]. It answers every request with its own message id and token, copies too, and
# lists five resources. What it does wrong, it is told:
#   slow=S   it waits so long before each answer      hang=N   it hangs for ever at the Nth request for /r/0, /r/1, ..
import socket, sys, time

told = dict(word.split("=", 1) for word in sys.argv[2:])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
count = 0
while True:
    data, peer = sock.recvfrom(65536)
    if len(data) < 4 or data[0] >> 4 & 3 > 1 or not 1 <= data[1] <= 31:
        continue
    paths, at, option = [], 4 + (data[0] & 15), 0
    while at < len(data) and data[at] != 255:
        delta, size, at = data[at] >> 4, data[at] & 15, at + 1
        if delta == 13:
            delta, at = 13 + data[at], at + 1
        if size == 13:
            size, at = 13 + data[at], at + 1
        option += delta
        if option == 11:
            paths.append(data[at:at + size])
        at += size
    if paths[:1] == [b"r"]:
        count += 1
        if count == int(told.get("hang", 0)):
            time.sleep(1000)
    time.sleep(float(told.get("slow", 0)))
    listed = paths == [b".well-known", b"core"]
    payload = b",".join(b"</r/%d>" % n for n in range(5)) if listed else b"21"
    kind = 0x60 if data[0] >> 4 & 3 == 0 else 0x50
    head = bytes([kind | data[0] & 15, 0x45]) + data[2:4] + data[4:4 + (data[0] & 15)]
    sock.sendto(head + (b"\xC1\x28" if listed else b"") + b"\xff" + payload, peer)
