"""Peers that fill whoever listens. `flood.py PORT big`: an MQTT server whose first packet is of 200 MB and never ends. `flood.py PORT storm`:
a CoAP server that answers each datagram with fifty of 60,000 bytes."""
import socket
import sys
import threading

PORT, HOW = int(sys.argv[1]), sys.argv[2]


def endless(peer):
    """CONNACK as asked for, and a PUBLISH that goes on for ever."""
    try:
        hello = peer.recv(4096)
        is_5 = len(hello) > 8 and hello[8] == 5
        peer.sendall(b"\x20\x03\0\0\0" if is_5 else b"\x20\x02\0\0")
        peer.sendall(b"\x30\x80\x84\xaf\x5f\0\x03abc")
        while True:
            peer.sendall(b"x" * 60000)
    except OSError:
        pass


def big():
    listener = socket.create_server(("127.0.0.1", PORT), backlog=128)
    while True:
        threading.Thread(target=endless, args=(listener.accept()[0],), daemon=True).start()


def storm():
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.bind(("127.0.0.1", PORT))
    while True:
        try:
            asked, whom = port.recvfrom(65536)
        except OSError:
            continue
        if len(asked) < 4:
            continue
        token = asked[4 : 4 + (asked[0] & 15)]
        head = bytes([0x60 | len(token), 0x45]) + asked[2:4] + token + b"\xff"
        for _ in range(50):
            try:
                port.sendto(head + b"x" * (60000 - len(head)), whom)
            except OSError:
                break


{"big": big, "storm": storm}[HOW]()
