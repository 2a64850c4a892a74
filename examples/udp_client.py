"""Reads the UDP stream, whose layout is two NumPy records: python examples/udp_client.py [HOST:PORT]."""

import socket
import sys

import numpy as np

from demo.streams.packet import HAND, HEADER  # or copy the two records from there

host, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9870").rpartition(":")
receiver = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind((host.strip("[]"), int(port)))
while True:
    datagram = receiver.recv(65535)
    header = np.frombuffer(datagram, HEADER, 1)[0]
    hands = np.frombuffer(datagram, HAND, header["hands"], HEADER.itemsize)
    for hand in hands:
        side, wrist = "left" if hand["left"] else "right", hand["positions"][1]
        print(f"{header['sequence']} {side} wrist {wrist.round(3)} grab {hand['grab']:.2f}", flush=True)
