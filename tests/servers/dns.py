"""A DNS server on loopback: the outside world, for a resolver that is ours. UDP, and TCP for long answers."""

import socket
import socketserver
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

UDP_OCTETS = 512
ATTEMPTS = 20


class Fault(Enum):
    """What a name can get instead of an answer."""

    SERVFAIL = auto()
    REFUSED = auto()
    SILENCE = auto()
    NOT_DNS = auto()  # octets that no one can read
    OTHER_ID = auto()  # as if somebody had guessed
    DRIP = auto()  # "too long for UDP", then one octet in a while


Records = Mapping[str, list[str]]  # {"MX": ["10 mx.a.test."]}; also "CNAME"
Zone = dict[str, Records | Fault]  # by name without the root's dot; any other name does not exist


class DnsServer:
    """A context manager; the port is known from the start. `asked` are the questions so far: ("a.test", "MX")."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self.ending = threading.Event()
        self._udp, self._tcp = pair(self)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            for server in (self._udp, self._tcp)
        ]

    @property
    def endpoint(self) -> tuple[str, int]:
        return "127.0.0.1", int(self._udp.server_address[1])

    def answer(self, octets: bytes, *, is_tcp: bool) -> bytes | Fault:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        if not is_tcp:  # else it is the same question again
            self.asked.append((name, dns.rdatatype.to_text(question.rdtype)))
        known = self.zone.get(name)
        response = dns.message.make_response(query, recursion_available=True)
        if isinstance(known, Fault):
            return faulty(response, known, is_tcp=is_tcp)
        for rrset in self.chain(question):
            response.answer.append(rrset)
        last = response.answer[-1] if response.answer else None
        end = name if last is None else name_at_end(last)
        if end not in self.zone:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return whole_or_truncated(response, is_tcp=is_tcp)

    def chain(self, question: dns.rrset.RRset) -> list[dns.rrset.RRset]:
        """Aliases from the question on, at most once around a circle, and the records at their end."""
        chain: list[dns.rrset.RRset] = []
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        while len(chain) <= len(self.zone):
            records = self.zone.get(name.to_text(omit_final_dot=True).lower(), {})
            if isinstance(records, Fault):
                break
            if "CNAME" not in records:
                if kind in records:
                    chain.append(dns.rrset.from_text(name, 60, "IN", kind, *records[kind]))
                break
            chain.append(dns.rrset.from_text(name, 60, "IN", "CNAME", *records["CNAME"]))
            name = dns.name.from_text(records["CNAME"][0])
        return chain

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


def name_at_end(rrset: dns.rrset.RRset) -> str:
    at_end = rrset[0].target if rrset.rdtype == dns.rdatatype.CNAME else rrset.name
    return str(at_end.to_text(omit_final_dot=True)).lower()


def faulty(response: dns.message.Message, fault: Fault, *, is_tcp: bool) -> bytes | Fault:
    if fault in {Fault.SERVFAIL, Fault.REFUSED}:
        response.set_rcode(dns.rcode.from_text(fault.name))
    elif fault is Fault.OTHER_ID:
        response.id ^= 1
    elif fault is Fault.NOT_DNS:
        return response.to_wire()[:2] + b"\xff" * 20
    elif fault is Fault.DRIP and not is_tcp:
        response.flags |= dns.flags.TC
    else:
        return fault
    return response.to_wire()


def whole_or_truncated(response: dns.message.Message, *, is_tcp: bool) -> bytes:
    try:
        return response.to_wire(max_size=65_535 if is_tcp else UDP_OCTETS)
    except dns.exception.TooBig:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()


class UdpServer(socketserver.UDPServer):
    def __init__(self, world: DnsServer, port: int) -> None:
        self.world = world
        super().__init__(("127.0.0.1", port), Datagram)


class TcpServer(socketserver.ThreadingTCPServer):
    def __init__(self, world: DnsServer) -> None:
        self.world = world
        super().__init__(("127.0.0.1", 0), Stream)


def pair(world: DnsServer) -> tuple[UdpServer, TcpServer]:
    """Both on one port, which the kernel chooses."""
    for _attempt in range(ATTEMPTS):
        tcp = TcpServer(world)
        try:
            return UdpServer(world, int(tcp.server_address[1])), tcp
        except OSError:
            tcp.server_close()
    message = "no port is free for both UDP and TCP"
    raise OSError(message)


class Datagram(socketserver.BaseRequestHandler):
    server: UdpServer

    def handle(self) -> None:
        octets, channel = self.request
        answer = self.server.world.answer(octets, is_tcp=False)
        if isinstance(answer, bytes):
            channel.sendto(answer, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    server: TcpServer

    def handle(self) -> None:
        with suppress(ConnectionError):  # the resolver has lost patience
            length = int.from_bytes(self.rfile.read(2), "big")
            answer = self.server.world.answer(self.rfile.read(length), is_tcp=True)
            if isinstance(answer, bytes):
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)
            elif answer is Fault.DRIP:
                self.drip()

    def drip(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wfile.write((500).to_bytes(2, "big"))
        while not self.server.world.ending.is_set():
            self.wfile.write(b"\0")
            time.sleep(0.05)
