#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Multipath TCP version 0 client of raw packets, written from RFC 6824.

Linux speaks version 1 only; this is the other opinion.  It has a TCP and an MPTCP
of its own, as small as a lab without surprises allows, and is strict with the
server: whatever RFC 6824 does not allow ends it with "violation: ...".

The kernel knows nothing of these connections and would answer their packets with
RST.  The caller drops those: output, source ports 30000-30999, not marked 1.

usage: v0client.py SCENARIO HOST PORT [--from ADDRESS] [--second ADDRESS]
                   [--source-port N] [--bytes N] [--checksum] [--timestamps]

Scenarios (PORT as in peer.py), each prints one line "ok ..." and exits 0, or says
what was wrong and exits 1:

  upload     clifin: N bytes over both paths, DATA_FIN, then the server's answer
  download   source: N bytes over both paths; tells how many came over each
  nothird    as upload, with the third ACK lost
  plainthird as upload, third ACK without option: plain TCP from there on
  badjoin    a join with a wrong HMAC is reset; the connection goes on
  backup     as download, the second path declared backup by MP_PRIO with its id
  reset      rst: the server resets; here MP_FASTCLOSE comes, and is answered
  fastclose  watch: the client ends with MP_FASTCLOSE
  stop       watch: the caller stops the daemon; MP_FASTCLOSE comes on an ACK
  tfo        as upload, with data and a request for a cookie in the SYN, which passes
             untouched: plain TCP
  addaddr    as upload, after ADD_ADDR and REMOVE_ADDR
"""
import argparse
import hashlib
import hmac
import os
import random
import select
import socket
import struct
import sys
import time

from peer import pattern

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CAPABLE, JOIN, DSS, ADD_ADDR, REMOVE_ADDR, PRIO, FAIL, FASTCLOSE = range(8)
SO_RCVBUFFORCE = 33
MSS = 1360
IN_FLIGHT = 16 * MSS
# A factor for all time limits: a busy machine is slow, not wrong.
PATIENCE = 4
MOD32, MOD64 = 1 << 32, 1 << 64


def violation(text):
    print("violation: " + text)
    sys.exit(1)


def signed32(n):
    n %= MOD32
    return n - MOD32 if n >= 1 << 31 else n


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def mp(subtype, low, rest):
    """Option 30."""
    return struct.pack("!BBB", 30, 3 + len(rest), subtype << 4 | low) + rest


class Subflow:
    """TCP from one address: sequence numbers, retransmission, in-order delivery."""

    def __init__(self, conn, address, address_id):
        self.conn, self.id = conn, address_id
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.v6 = family == socket.AF_INET6
        self.sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.sock.bind((address, 0))
        self.sock.connect((conn.host, 0))
        self.port = conn.source_port
        self.pseudo = b"".join(socket.inet_pton(family, a) for a in (address, conn.host))
        self.iss = self.nxt = self.una = random.randrange(MOD32)
        self.irs = self.rcv = None
        self.sent = []                  # (seq, flags, options, payload, when)
        self.early = {}                 # what came out of order: seq -> payload
        self.maps = []                  # (dsn, subflow sequence, length, checksum)
        self.joined = False
        self.fin_seen = self.fin_sent = self.reset = self.dss_seen = False
        self.nonce = os.urandom(4)
        self.received = 0
        self.window, self.scale, self.ts_recent = 65535, 0, 0
        self.pending = b""              # of a mapping with a checksum

    # ---- out

    def emit(self, flags, options=b"", payload=b"", seq=None):
        if flags & SYN:
            options = (struct.pack("!BBHBBB", 2, 4, MSS, 3, 3, 7) +
                       (b"\4\2" if self.conn.timestamps else b"") + options)
        if self.conn.timestamps:
            ms = int(time.monotonic() * 1000) % MOD32
            options = struct.pack("!BBBBII", 1, 1, 8, 10, ms, self.ts_recent) + options
        options += b"\1" * (-len(options) % 4)
        if len(options) > 40:
            raise ValueError("options of %d bytes" % len(options))
        head = struct.pack("!HHIIBBHHH", self.port, self.conn.port,
                           self.nxt if seq is None else seq, self.rcv if flags & ACK else 0,
                           (5 + len(options) // 4) << 4, flags, 65535, 0, 0) + options
        segment = head + payload
        pseudo = self.pseudo + struct.pack("!II" if self.v6 else "!HH",
                                           *((len(segment), 6) if self.v6 else (6, len(segment))))
        total = ones_sum(pseudo + segment) ^ 0xffff
        self.sock.send(segment[:16] + struct.pack("!H", total) + segment[18:])

    def queue(self, flags, options=b"", payload=b""):
        """Sends something that takes sequence numbers, and remembers it."""
        self.sent.append([self.nxt, flags, options, payload, time.monotonic()])
        self.emit(flags, options, payload)
        self.nxt = (self.nxt + len(payload) + bool(flags & (SYN | FIN))) % MOD32

    def ack(self, options=None):
        self.emit(ACK, self.conn.dss_ack() if options is None else options)

    def retransmit(self):
        if self.sent and time.monotonic() - self.sent[0][4] > 0.5:
            seq, flags, options, payload, _ = self.sent[0]
            self.sent[0][4] = time.monotonic()
            self.emit(flags, options, payload, seq)

    def room(self):
        used = (self.nxt - self.una) % MOD32
        return not self.reset and used < min(IN_FLIGHT, self.window)

    # ---- in

    def receive(self):
        data = self.sock.recv(1 << 17)
        if not self.v6:
            data = data[(data[0] & 15) * 4:]
        sport, dport, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", data[:16])
        if sport != self.conn.port or dport != self.port or self.reset:
            return
        offset = (offset >> 4) * 4
        options = self.parse(data[20:offset])
        payload = data[offset:]
        if flags & RST:
            self.reset = True
            self.sent = []
            return
        if flags & SYN:
            self.irs, self.rcv = seq, (seq + 1) % MOD32
            self.scale = options.get("scale", 0)
        elif self.rcv is None:
            return
        self.window = window << (0 if flags & SYN else self.scale)
        if flags & ACK and 0 <= signed32(ack - self.una) <= signed32(self.nxt - self.una):
            self.una = ack
            while self.sent and signed32(self.sent[0][0] + len(self.sent[0][3]) +
                                         bool(self.sent[0][1] & (SYN | FIN)) - ack) <= 0:
                self.sent.pop(0)
        self.conn.options(self, seq, flags, options, payload)
        if flags & SYN:
            return
        if payload or flags & FIN:
            if signed32(seq - self.rcv) <= 0:
                self.take(payload[-signed32(seq - self.rcv):] if seq != self.rcv else payload)
            else:
                self.early[seq] = payload
            for early in sorted(self.early, key=lambda s: signed32(s - self.rcv)):
                if signed32(early - self.rcv) > 0:
                    break
                self.take(self.early.pop(early)[signed32(self.rcv - early):])
            if flags & FIN and (seq + len(payload)) % MOD32 == self.rcv and not self.fin_seen:
                self.fin_seen = True
                self.rcv = (self.rcv + 1) % MOD32
            self.ack()

    def parse(self, raw):
        out = {"mptcp": []}
        while raw and raw[0]:
            if raw[0] == 1:
                raw = raw[1:]
                continue
            if len(raw) < 2 or not 2 <= raw[1] <= len(raw):
                violation("a malformed list of options")
            kind, body = raw[0], raw[2:raw[1]]
            if kind == 3:
                out["scale"] = body[0]
            elif kind == 8:
                self.ts_recent = struct.unpack("!I", body[:4])[0]
            elif kind == 30:
                out["mptcp"].append((body[0] >> 4, body[0] & 15, body[1:]))
            raw = raw[raw[1]:]
        return out

    def take(self, payload):
        """Bytes that are next in the subflow."""
        self.received += len(payload)
        while payload:
            if self.conn.plain:
                self.conn.stream(self.conn.rcv, payload)
                self.rcv = (self.rcv + len(payload)) % MOD32
                return
            at = (self.rcv - self.irs) % MOD32
            for dsn, ssn, length, checksum in self.maps:
                if ssn <= at < ssn + length:
                    break
            else:
                violation("data without a mapping")
            piece = payload[:ssn + length - at]
            if self.conn.checksum:
                self.pending += piece
                if at + len(piece) == ssn + length:
                    pseudo = struct.pack("!QIHH", dsn, ssn, length, 0)
                    fin = self.conn.fin_dsn is not None and self.conn.fin_dsn == dsn + length
                    if fin:
                        pseudo = struct.pack("!QIHH", dsn, ssn, length + 1, 0)
                    if ones_sum(pseudo + self.pending) ^ 0xffff != checksum:
                        violation("a wrong DSS checksum")
                    self.conn.stream(dsn, self.pending)
                    self.pending = b""
            else:
                self.conn.stream(dsn + at - ssn, piece)
            self.rcv = (self.rcv + len(piece)) % MOD32
            payload = payload[len(piece):]


class Connection:
    def __init__(self, args):
        self.host, self.port, self.source_port = args.host, args.port, args.source_port
        self.checksum, self.timestamps = args.checksum, args.timestamps
        self.key = os.urandom(8)
        digest = hashlib.sha1(self.key).digest()
        self.token, idsn = digest[:4], struct.unpack("!Q", digest[-8:])[0]
        self.first_dsn = self.dsn = self.una = (idsn + 1) % MOD64
        self.peer_key = None
        self.rcv = 0
        self.plain = False
        self.fin_dsn = None             # the peer's DATA_FIN
        self.fin_taken = False
        self.fin_at = None              # ours
        self.early = {}
        self.got = bytearray()
        self.fastclosed = False
        self.flows = []

    # ---- the data level

    def dss_ack(self):
        if self.plain:
            return b""
        if self.peer_key is None:
            raise ValueError("no key yet")
        if self.fin_at is not None and self.una <= self.fin_at:
            return self.dss(self.fin_at, 0, 1, 0x10)
        return mp(DSS, 0, struct.pack("!BI", 0x01, self.rcv % MOD32))

    def dss(self, dsn, ssn, length, flags=0, payload=b""):
        """DATA_ACK of four bytes, a mapping with a DSN of eight, as Linux had it."""
        rest = struct.pack("!BIQIH", 0x01 | 0x04 | 0x08 | flags, self.rcv % MOD32, dsn, ssn, length)
        if self.checksum:
            pseudo = struct.pack("!QIHH", dsn, ssn, length, 0)
            rest += struct.pack("!H", ones_sum(pseudo + payload) ^ 0xffff)
        return mp(DSS, 0, rest)

    def stream(self, dsn, data):
        if dsn > self.rcv:
            self.early.setdefault(dsn, data)
            return
        new = data[self.rcv - dsn:]
        self.got += new
        self.rcv += len(new)
        for early in sorted(self.early):
            if early > self.rcv:
                break
            piece = self.early.pop(early)[self.rcv - early:]
            self.got += piece
            self.rcv += len(piece)
        self.check_fin()

    def check_fin(self):
        if self.fin_dsn == self.rcv and not self.fin_taken:
            self.fin_taken = True
            self.rcv += 1

    def hmac(self, key1, key2, nonce1, nonce2):
        return hmac.new(key1 + key2, nonce1 + nonce2, hashlib.sha1).digest()

    def options(self, flow, seq, flags, options, payload):
        for subtype, low, body in options["mptcp"]:
            if self.plain and subtype != DSS:
                violation("an MPTCP option in a plain connection")
            if subtype == CAPABLE:
                if not flags & SYN or flow.joined:
                    violation("MP_CAPABLE where it does not belong")
                if low != 0 or len(body) != 9:
                    violation("MP_CAPABLE of version %d, %d bytes" % (low, len(body) + 3))
                if body[0] & 0x7f != 0x01:
                    violation("flags %02x in MP_CAPABLE" % body[0])
                if self.checksum and not body[0] & 0x80:
                    violation("checksums were not agreed to")
                self.checksum = bool(body[0] & 0x80)
                self.peer_key = body[1:]
                idsn = struct.unpack("!Q", hashlib.sha1(self.peer_key).digest()[-8:])[0]
                self.rcv = (idsn + 1) % MOD64
            elif subtype == JOIN:
                if not flags & SYN or len(body) != 13:
                    violation("MP_JOIN of %d bytes" % (len(body) + 3))
                flow.peer_nonce = body[9:13]
                if body[1:9] != self.hmac(self.peer_key, self.key, flow.peer_nonce,
                                          flow.nonce)[:8]:
                    violation("wrong HMAC in the SYN/ACK of a join")
            elif subtype == DSS:
                flow.dss_seen = True
                if not self.plain:
                    self.take_dss(flow, body, payload)
            elif subtype == FASTCLOSE:
                if len(body) != 9 or body[1:] != self.key:
                    violation("MP_FASTCLOSE without our key")
                # What Apple's clients ask for.
                if not flags & ACK or flags & RST or seq != flow.rcv or payload:
                    violation("MP_FASTCLOSE on other than an ACK in sequence")
                self.fastclosed = True
            elif subtype == ADD_ADDR:
                if low not in (4, 6):
                    violation("ADD_ADDR with IP version %d" % low)
            elif subtype > FASTCLOSE:
                violation("subtype %d is not of version 0" % subtype)

    def take_dss(self, flow, body, payload):
        flags, at = body[0], 1
        if flags & 0x0f == 0x0f:
            violation("DATA_ACK and DSN both of eight bytes")
        if flags & 0x01:
            size = 8 if flags & 0x02 else 4
            ack = int.from_bytes(body[at:at + size], "big")
            at += size
            if size == 4:
                ack = self.una + signed32(ack - self.una)
            if ack > self.dsn:
                violation("DATA_ACK of what was never sent")
            self.una = max(self.una, ack)
        if not flags & 0x04:
            return
        size = 8 if flags & 0x08 else 4
        dsn = int.from_bytes(body[at:at + size], "big")
        if size == 4:
            dsn = self.rcv + signed32(dsn - self.rcv)
        ssn, length = struct.unpack("!IH", body[at + size:at + size + 6])
        rest = body[at + size + 6:]
        if self.checksum != (len(rest) == 2):
            violation("a mapping %s checksum" % ("without" if self.checksum else "with"))
        checksum = struct.unpack("!H", rest)[0] if rest else None
        if length == 0:
            violation("an infinite mapping")
        if flags & 0x10:
            length -= 1
            if self.fin_dsn not in (None, dsn + length):
                violation("a second DATA_FIN elsewhere")
            self.fin_dsn = dsn + length
            if not length and not payload:
                if ssn != 0:
                    violation("DATA_FIN alone with subflow sequence number %d" % ssn)
                if self.checksum and (ones_sum(struct.pack("!QIHH", dsn, 0, 1, 0)) ^ 0xffff !=
                                      checksum):
                    violation("a wrong checksum of DATA_FIN")
            self.check_fin()
            flow.ack()
        if length and (dsn, ssn, length, checksum) not in flow.maps:
            flow.maps.append((dsn, ssn, length, checksum))
            del flow.maps[:-4096]

    # ---- what scenarios do

    def pump(self, done, seconds, what):
        """Packets in, acknowledgements and repetitions out, until done()."""
        end = time.monotonic() + PATIENCE * seconds
        while not done():
            if time.monotonic() > end:
                print("timed out: " + what)
                sys.exit(1)
            ready, _, _ = select.select([f.sock for f in self.flows], [], [], 0.02)
            for flow in self.flows:
                if flow.sock in ready:
                    flow.receive()
                flow.retransmit()

    def open(self, address, third=True, option=True, early=b""):
        flow = Subflow(self, address, 0)
        self.flows.append(flow)
        flags = b"\x81" if self.checksum else b"\x01"
        capable = mp(CAPABLE, 0, flags + self.key)
        if early:
            # The data of a SYN with a request for a Fast Open cookie.
            flow.sent.append([flow.nxt, SYN, capable, b"", time.monotonic()])
            flow.emit(SYN, capable + b"\x22\x02", early)
            flow.nxt = (flow.nxt + 1) % MOD32
        else:
            flow.queue(SYN, capable)
        self.pump(lambda: flow.rcv is not None or flow.reset, 10, "SYN/ACK")
        if flow.reset:
            violation("the SYN was refused")
        if early:
            if self.peer_key is not None:
                violation("a SYN with data was answered")
            option = False
        elif self.peer_key is None:
            violation("the SYN/ACK has no MP_CAPABLE")
        if not option:
            self.plain, self.checksum = True, False
        if third:
            flow.emit(ACK, b"" if not option else
                      mp(CAPABLE, 0, (b"\x81" if self.checksum else b"\x01") + self.key +
                         self.peer_key))
        return flow

    def join(self, address, address_id, good=True):
        # Not before a DSS was received (section 3.1).
        self.pump(lambda: self.flows[0].dss_seen, 5, "a DSS")
        flow = Subflow(self, address, address_id)
        flow.joined = True
        self.flows.append(flow)
        token = hashlib.sha1(self.peer_key).digest()[:4]
        flow.queue(SYN, mp(JOIN, 0, bytes([address_id]) + token + flow.nonce))
        self.pump(lambda: flow.rcv is not None or flow.reset, 10, "SYN/ACK of the join")
        if flow.reset:
            violation("the join was refused")
        mac = self.hmac(self.key, self.peer_key, flow.nonce, flow.peer_nonce)
        if not good:
            mac = bytes(20)
        deadline = [0.0]

        def established():
            # The third ACK is repeated until the fourth came (section 3.2).
            if time.monotonic() > deadline[0]:
                deadline[0] = time.monotonic() + 0.5
                flow.emit(ACK, mp(JOIN, 0, b"\0" + mac))
            return flow.dss_seen or flow.reset
        self.pump(established, 10, "the fourth ACK")
        return flow

    def send(self, data, flows=None, wait=True):
        """Queues data, turn by turn on the paths, and waits until it is acknowledged."""
        flows = flows or self.flows
        turn = 0

        def step():
            nonlocal data, turn
            while data:
                free = [f for f in flows if f.room()]
                if not free:
                    return False
                flow = free[turn % len(free)]
                turn += 1
                size = min(len(data), MSS - 60)
                piece, data = data[:size], data[size:]
                option = b"" if self.plain else self.dss(
                    self.dsn, (flow.nxt - flow.iss) % MOD32, size, payload=piece)
                flow.queue(ACK | PSH, option, piece)
                self.dsn += size
            return not wait or self.una == self.dsn or (self.plain and not flows[0].sent)
        self.pump(step, 60, "acknowledgement of the data")

    def shutdown(self):
        if self.plain:
            self.flows[0].queue(FIN | ACK)
            return
        self.fin_at = self.dsn
        self.dsn += 1
        deadline = [0.0]

        def acked():
            if time.monotonic() > deadline[0]:
                deadline[0] = time.monotonic() + 0.5
                self.flows[0].ack()
            return self.una == self.dsn
        self.pump(acked, 10, "DATA_ACK of DATA_FIN")

    def finish(self):
        """The server's end, and that of every subflow."""
        if self.plain:
            self.pump(lambda: self.flows[0].fin_seen and not self.flows[0].sent, 10, "FIN")
            return
        self.pump(lambda: self.fin_taken, 30, "DATA_FIN")
        live = [f for f in self.flows if not f.reset]
        for flow in live:
            flow.fin_sent = True
            flow.queue(FIN | ACK, self.dss_ack())
        self.pump(lambda: all(f.reset or (f.fin_seen and not f.sent) for f in live), 10,
                  "FINs of the subflows")
        if any(f.reset for f in live):
            violation("a subflow was reset at the end")


# ---- scenarios --------------------------------------------------------------------


def upload(c, args, flow=None):
    data = pattern(0, args.bytes)
    if flow is None:
        c.open(args.source)
        c.join(args.second, 2)
    c.send(data)
    c.shutdown()
    c.finish()
    want = "%d %s" % (len(data), hashlib.sha256(data).hexdigest())
    if bytes(c.got).decode("latin1").strip() != want:
        violation("the server got something else: %r" % bytes(c.got[:100]))
    return "ok %d" % len(data)


def nothird(c, args):
    c.open(args.source, third=False)
    c.send(b"")
    data = pattern(0, args.bytes)
    c.send(data[:100], c.flows[:1])
    c.join(args.second, 2)
    c.send(data[100:])
    c.shutdown()
    c.finish()
    if not bytes(c.got).decode("latin1").startswith("%d %s" % (len(data), hashlib.sha256(
            data).hexdigest())):
        violation("the server got something else")
    return "ok %d" % len(data)


def plainthird(c, args):
    c.open(args.source, option=False)
    return upload(c, args, c.flows[0])


def badjoin(c, args):
    c.open(args.source)
    flow = c.join(args.second, 2, good=False)
    if not flow.reset:
        violation("a join with a wrong HMAC was accepted")
    c.flows.remove(flow)
    return upload(c, args, c.flows[0])


def fetch(c, args):
    c.send(b"%d\n" % args.bytes, c.flows[:1])
    c.pump(lambda: len(c.got) >= args.bytes, 60, "the data")
    c.shutdown()
    c.finish()
    if bytes(c.got) != pattern(0, args.bytes):
        violation("the data is not what was sent")
    return "ok %s" % " ".join(str(f.received) for f in c.flows)


def download(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    return fetch(c, args)


def backup(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    c.flows[0].ack(mp(PRIO, 1, b"\2") + c.dss_ack())
    return fetch(c, args)


def reset(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    c.send(b"x", c.flows[:1], wait=False)
    c.pump(lambda: c.fastclosed or all(f.reset for f in c.flows), 10, "MP_FASTCLOSE")
    if not c.fastclosed:
        violation("reset without MP_FASTCLOSE")
    for flow in c.flows:
        if not flow.reset:
            flow.emit(RST)
    # After that there is nothing to repeat; but one may be under way.
    end = time.monotonic() + 1
    c.pump(lambda: time.monotonic() > end, 5, "")
    c.fastclosed = False
    end = time.monotonic() + 1.5
    c.pump(lambda: time.monotonic() > end, 5, "")
    if c.fastclosed:
        violation("MP_FASTCLOSE again after the RST that answers it")
    return "ok"


def fastclose(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    c.send(b"hello", c.flows[:1])
    c.flows[0].emit(ACK, mp(FASTCLOSE, 0, b"\0" + c.peer_key))
    c.flows[1].emit(RST)
    c.pump(lambda: c.flows[0].reset, 10, "the RST that answers MP_FASTCLOSE")
    return "ok"


def stop(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    # Its DATA_ACK may be that of the MP_FASTCLOSE.
    c.send(b"hello", c.flows[:1], wait=False)
    c.pump(lambda: c.fastclosed, 20, "MP_FASTCLOSE")
    c.pump(lambda: all(f.reset for f in c.flows), 10, "RSTs on both paths")
    return "ok"


def tfo(c, args):
    c.open(args.source, early=pattern(0, 100))
    return upload(c, args, c.flows[0])


def addaddr(c, args):
    c.open(args.source)
    c.join(args.second, 2)
    c.flows[0].ack(mp(ADD_ADDR, 4, b"\3" + socket.inet_aton("192.0.2.77")) + c.dss_ack())
    c.flows[0].ack(mp(ADD_ADDR, 4, b"\4" + socket.inet_aton("192.0.2.78") + b"\x1f\x90") +
                   c.dss_ack())
    c.flows[0].ack(mp(ADD_ADDR, 6, b"\5" + socket.inet_pton(socket.AF_INET6, "2001:db8::7")) +
                   c.dss_ack())
    c.flows[0].ack(mp(REMOVE_ADDR, 0, b"\3\4\5") + c.dss_ack())
    return upload(c, args, c.flows[0])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("scenario")
    p.add_argument("host")
    p.add_argument("port", type=int)
    p.add_argument("--source-port", type=int, default=30000)
    p.add_argument("--from", dest="source", default="10.1.0.2")
    p.add_argument("--second", default="10.2.0.2")
    p.add_argument("--bytes", type=int, default=300000)
    p.add_argument("--checksum", action="store_true")
    p.add_argument("--timestamps", action="store_true")
    args = p.parse_args()
    scenarios = {f.__name__: f for f in (upload, download, nothird, plainthird, badjoin, backup,
                                         reset, fastclose, stop, tfo, addaddr)}
    print(scenarios[args.scenario](Connection(args), args))


if __name__ == "__main__":
    main()
