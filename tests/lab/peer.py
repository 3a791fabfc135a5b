#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Small TCP/MPTCP peer for the lab: what curl and iperf3 cannot do or tell.

`serve EVENTS` is the server side; one port per behaviour, and what it saw goes
into the file EVENTS, one line per connection ("WORD detail...").  The other
commands are the client side, on MPTCP sockets (IPPROTO_MPTCP) unless -t asks
for TCP; each prints one line "ok ..." or the errno's name and exits 0 or 1.

  7001 echo     answers each read with the same bytes
  7002 rst      resets the connection after the first bytes
  7003 srvfin   sends 200000 bytes, one of them urgent, shuts down its side, then reads on
                to the end
  7004 clifin   reads to the end, then answers "LENGTH SHA256" and closes
  7005 watch    reads until something happens; logs eof or reset
  7006 sink     reads to the end; logs length, digest and longest silence
  7007 source   "N\n": sends N bytes of a known pattern and closes
  7008 early    answers the first byte, and closes without having read the others
  7009 finrst   ends its stream, and resets the connection after the first bytes
  7010 later    resets the connection three seconds after the first bytes

Only the standard library; no file but EVENTS is written, and those named with -o.
"""
import argparse
import ctypes
import errno
import hashlib
import os
import select
import socket
import struct
import sys
import threading
import time

IPPROTO_MPTCP = 262
SOL_MPTCP, MPTCP_INFO = 284, 1
LINGER_RST = struct.pack("ii", 1, 0)
SRVFIN_BYTES = 200000
EARLY_BYTES = 1000


# a prime length, so that a piece put in the wrong place is never right by chance
BLOCK = hashlib.shake_256(b"mptcp-proxy").digest(1048573)


def pattern(start, length):
    """Bytes start..start+length of an endless, position-dependent stream."""
    off = start % len(BLOCK)
    piece = BLOCK[off:off + length]
    while len(piece) < length:
        piece += BLOCK[:length - len(piece)]
    return piece


def rst_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
    sock.close()


def read_all(sock):
    """(length, sha256, longest silence in s) of all up to the end of the stream."""
    h, total, gap, last = hashlib.sha256(), 0, 0.0, None
    while True:
        data = sock.recv(262144)
        now = time.monotonic()
        if last is not None and data:
            gap = max(gap, now - last)
        last = now
        if not data:
            return total, h.hexdigest(), gap
        h.update(data)
        total += len(data)


# ---- server -----------------------------------------------------------------

def do_echo(sock):
    n = 0
    while True:
        data = sock.recv(65536)
        if not data:
            return f"eof {n}"
        sock.sendall(data)
        n += len(data)


def do_rst(sock):
    sock.recv(1)
    rst_close(sock)
    return "done"


def do_srvfin(sock):
    data, urgent = pattern(0, SRVFIN_BYTES), SRVFIN_BYTES // 2
    sock.sendall(data[:urgent])
    sock.send(data[urgent:urgent + 1], socket.MSG_OOB)
    sock.sendall(data[urgent + 1:])
    sock.shutdown(socket.SHUT_WR)
    n, digest, _ = read_all(sock)
    return f"eof {n} {digest}"


def do_clifin(sock):
    n, digest, _ = read_all(sock)
    sock.sendall(f"{n} {digest}\n".encode())
    return f"eof {n} {digest}"


def do_watch(sock):
    n = 0
    while True:
        data = sock.recv(65536)
        if not data:
            return f"eof {n}"
        n += len(data)


def do_sink(sock):
    n, digest, gap = read_all(sock)
    return f"eof {n} {digest} {gap:.3f}"


def do_source(sock):
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(100)
        if not data:
            return "eof"
        line += data
    n, sent = int(line), 0
    while sent < n:
        sock.sendall(pattern(sent, min(1 << 20, n - sent)))
        sent += min(1 << 20, n - sent)
    return f"sent {sent}"


def do_early(sock):
    sock.recv(1)
    sock.sendall(pattern(0, EARLY_BYTES))
    return "answered"


def do_finrst(sock):
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    time.sleep(0.3)
    rst_close(sock)
    return "done"


def do_later(sock):
    sock.recv(1)
    time.sleep(3)
    rst_close(sock)
    return "done"


SERVICES = {7001: ("echo", do_echo), 7002: ("rst", do_rst), 7003: ("srvfin", do_srvfin),
            7004: ("clifin", do_clifin), 7005: ("watch", do_watch), 7006: ("sink", do_sink),
            7007: ("source", do_source), 7008: ("early", do_early),
            7009: ("finrst", do_finrst), 7010: ("later", do_later)}


def serve(args):
    # "mptcpize run" in front makes these listeners MPTCP ones
    lock = threading.Lock()
    events = open(args.events, "a", buffering=1)

    def one(name, func, sock, peer):
        try:
            result = func(sock)
        except OSError as e:
            result = "reset" if e.errno == errno.ECONNRESET else errno.errorcode[e.errno]
        sock.close()
        with lock:
            events.write(f"{name} {peer[0]} {peer[1]} {result}\n")

    polled = {}
    poll = select.poll()
    for port, (name, func) in SERVICES.items():
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = socket.socket(family, socket.SOCK_STREAM, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((any_addr, port))
            s.listen(1024)
            polled[s.fileno()] = (s, name, func)
            poll.register(s, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            s, name, func = polled[fd]
            c, peer = s.accept()
            threading.Thread(target=one, args=(name, func, c, peer), daemon=True).start()


# ---- client -----------------------------------------------------------------

def connect(args):
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM, 0 if args.tcp else IPPROTO_MPTCP)
    s.settimeout(args.timeout)
    s.connect((args.host, args.port))
    return s


def spoken(sock):
    """"mptcp N" with N the number of additional subflows, or "tcp"."""
    try:
        info = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
    except OSError:
        return "tcp"
    flags, = struct.unpack_from("I", info, 8)
    return "tcp" if flags & 1 else f"mptcp {info[0]}"


def c_probe(args):
    """Connects, has an echo answered, tells which protocol is spoken: after --wait seconds, or
    when there are --joins additional subflows, for which it waits as long as --timeout."""
    with connect(args) as s:
        s.sendall(b"x" * 1000)
        got = b""
        while len(got) < 1000:
            data = s.recv(1000)
            if not data:
                return "closed"
            got += data
        time.sleep(args.wait)
        end = time.monotonic() + args.timeout
        while args.joins and time.monotonic() < end and spoken(s) != f"mptcp {args.joins}":
            time.sleep(0.05)
        return "ok " + spoken(s)


def c_hold(args):
    """As probe, then keeps the connection until there is a file --until, or for --wait
    seconds, and tries again."""
    with connect(args) as s:
        s.sendall(b"x")
        s.recv(1)
        print("ok " + spoken(s), flush=True)
        end = time.monotonic() + args.wait
        while time.monotonic() < end and not (args.until and os.path.exists(args.until)):
            time.sleep(min(0.05, max(0, end - time.monotonic())))
        s.sendall(b"y")
        return "ok " + spoken(s) if s.recv(1) == b"y" else "closed"


def c_connect(args):
    connect(args).close()
    return "ok"


def c_idle(args):
    """WebSocket-like: a message each way, silence for --wait s, a message."""
    with connect(args) as s:
        for n in (b"first", b"second", b"third"):
            if n == b"third":
                s.settimeout(None)
                time.sleep(args.wait)
                s.settimeout(args.timeout)
            s.sendall(n)
            if s.recv(100) != n:
                return "closed"
        return "ok " + spoken(s)


def c_expect_rst(args):
    with connect(args) as s:
        s.sendall(b"x")
        data = s.recv(100)
        return "eof" if not data else "data"


def c_rst(args):
    s = connect(args)
    s.sendall(b"y" * 1000)
    time.sleep(0.3)
    rst_close(s)
    return "ok"


def c_early(args):
    """Sends until there is a reset, and reads what came before it."""
    with connect(args) as s:
        try:
            while True:
                s.sendall(pattern(0, 65536))
        except (ConnectionResetError, BrokenPipeError):
            pass
        n, digest, _ = read_all(s)
        return "ok" if digest == hashlib.sha256(pattern(0, EARLY_BYTES)).hexdigest() \
            else f"lost, got {n}"


def c_told(args):
    """Holds --count connections, of which the file --output tells when all are there, until
    each was reset."""
    held, poll = {}, select.poll()

    def hold(count):
        for _ in range(count):
            s = connect(args)
            s.sendall(b"x")
            s.recv(1)
            held[s.fileno()] = s

    threads = [threading.Thread(target=hold, args=(args.count // 10,)) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for fd in held:
        poll.register(fd, select.POLLIN)
    with open(args.output, "w") as f:
        f.write("up\n")
    told, end = 0, time.monotonic() + args.timeout
    while told < args.count and time.monotonic() < end:
        for fd, _ in poll.poll(1000):
            poll.unregister(fd)
            try:
                return f"no reset after {told}: {held[fd].recv(1)!r}"
            except ConnectionResetError:
                told += 1
    return f"ok {told}" if told == args.count else f"{told} of {args.count}"


def c_srvfin(args):
    """The server ends first; then we still send, and it still receives."""
    with connect(args) as s:
        n, digest, _ = read_all(s)
        if n != SRVFIN_BYTES or digest != hashlib.sha256(pattern(0, n)).hexdigest():
            return f"bad {n}"
        time.sleep(0.3)
        s.sendall(pattern(7, 300000))
        s.shutdown(socket.SHUT_WR)
        return "ok " + hashlib.sha256(pattern(7, 300000)).hexdigest()


def c_finrst(args):
    """The server ends first, and resets while we wait for what comes."""
    with connect(args) as s:
        n, _, _ = read_all(s)
        s.sendall(b"x")
        poll = select.poll()
        poll.register(s, 0)
        events = poll.poll(args.timeout * 1000)
        return f"ok {n}" if events else "nothing comes"


def c_clifin(args):
    """We end first; the answer still comes."""
    with connect(args) as s:
        s.sendall(pattern(3, 300000))
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            data = s.recv(1000)
            if not data:
                break
            answer += data
        want = f"300000 {hashlib.sha256(pattern(3, 300000)).hexdigest()}\n".encode()
        return "ok" if answer == want else f"bad {answer!r}"


def c_download(args):
    """Takes --bytes from the source; tells rate, longest silence, identity.  After 5 MB it
    does not read on before there is a file --until."""
    marks = open(args.output, "w") if args.output else None
    with connect(args) as s:
        s.sendall(f"{args.bytes}\n".encode())
        start = last = time.monotonic()
        got, gap, good = 0, 0.0, True
        while got < args.bytes:
            data = s.recv(262144)
            now = time.monotonic()
            gap, last = max(gap, now - last), now
            if not data:
                return f"short {got}"
            good = good and data == pattern(got, len(data))
            got += len(data)
            while args.until and got > 5000000 and not os.path.exists(args.until):
                time.sleep(0.05)
            if marks:
                marks.write(f"{time.time():.4f} {got}\n")
        mbit = got * 8e-6 / (time.monotonic() - start)
        return f"{'ok' if good else 'differs'} mbit={mbit:.1f} gap={gap:.3f} {spoken(s)}"


def c_upload(args):
    """Sends --bytes to the sink, whose event line has the digest; more, until there is a file
    --until, and then as many again."""
    with connect(args) as s:
        sent, start, h, total = 0, time.monotonic(), hashlib.sha256(), args.bytes
        while sent < total or args.until:
            if args.until and os.path.exists(args.until):
                total, args.until = sent + args.bytes, None
            data = pattern(sent, min(65536, total - sent) if not args.until else 65536)
            h.update(data)
            s.sendall(data)
            sent += len(data)
        s.shutdown(socket.SHUT_WR)
        if s.recv(1):
            return "data"
        mbit = sent * 8e-6 / (time.monotonic() - start)
        return f"ok mbit={mbit:.1f} sha={h.hexdigest()} {spoken(s)}"


def ready(args):
    """Whether something listens at all these ports; a connection each."""
    for port in args.ports:
        with socket.create_connection((args.host, port), 1):
            pass


def rates(args):
    """Every --interval s: time, then the bytes that each NIC received and sent."""
    def count(nic, what):
        with open(f"/sys/class/net/{nic}/statistics/{what}_bytes") as f:
            return int(f.read())
    nics, due = args.nics.split(","), time.monotonic()
    end = due + args.seconds
    while due < end and os.getppid() != 1:
        print(f"{time.time():.3f}", *(count(n, w) for n in nics for w in ("rx", "tx")), flush=True)
        due += args.interval
        time.sleep(max(0, due - time.monotonic()))


def freeze(args):
    """Stops one thread of a process, as if it hung, until the process ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
    for tid in map(int, os.listdir(f"/proc/{args.pid}/task")):
        with open(f"/proc/{args.pid}/task/{tid}/comm") as f:
            if f.read().strip() == args.thread:
                break
    else:
        sys.exit(f"no thread {args.thread}")
    for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
        if libc.ptrace(request, tid, None, None):
            sys.exit(os.strerror(ctypes.get_errno()))
    while True:
        status = os.waitpid(tid, WALL)[1]
        if not os.WIFSTOPPED(status):
            return
        print("stopped", flush=True)


def main():
    top = argparse.ArgumentParser()
    sub = top.add_subparsers(dest="cmd", required=True)
    p = sub.add_parser("serve")
    p.add_argument("events")
    p.set_defaults(func=serve)
    p = sub.add_parser("ready")
    p.add_argument("host")
    p.add_argument("ports", type=int, nargs="+")
    p.set_defaults(func=ready)
    p = sub.add_parser("freeze")
    p.add_argument("pid", type=int)
    p.add_argument("thread")
    p.set_defaults(func=freeze)
    p = sub.add_parser("rates")
    p.add_argument("--nics", default="c1,c2")
    p.add_argument("--interval", type=float, default=0.1)
    p.add_argument("--seconds", type=float, default=600)
    p.set_defaults(func=rates)
    clients = {"probe": c_probe, "hold": c_hold, "connect": c_connect, "idle": c_idle,
               "expect-rst": c_expect_rst, "rst": c_rst, "early": c_early, "srvfin": c_srvfin,
               "told": c_told, "clifin": c_clifin, "finrst": c_finrst, "download": c_download,
               "upload": c_upload}
    for name, func in clients.items():
        p = sub.add_parser(name)
        p.add_argument("host")
        p.add_argument("port", type=int)
        p.add_argument("-t", "--tcp", action="store_true")
        p.add_argument("--timeout", type=float, default=60)
        p.add_argument("--wait", type=float, default=0)
        p.add_argument("--joins", type=int, default=0)
        p.add_argument("--until")
        p.add_argument("--bytes", type=int, default=20000000)
        p.add_argument("--count", type=int, default=300)
        p.add_argument("-o", "--output")
        p.set_defaults(func=func)
    args = top.parse_args()
    if args.cmd not in clients:
        args.func(args)
        return 0
    try:
        result = args.func(args)
    except OSError as e:
        result = "ETIMEDOUT" if isinstance(e, TimeoutError) else errno.errorcode.get(e.errno, str(e))
    print(result, flush=True)
    return 0 if result.startswith("ok") else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
