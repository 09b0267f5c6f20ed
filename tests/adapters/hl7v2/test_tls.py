"""MLLP over TLS with real certificates: names checked, client certificates demanded and reported, old protocols refused."""

import asyncio
import hashlib
import ssl
import warnings
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.hl7v2.client import MllpClient, NotConnectedError
from adapters.hl7v2.framing import wrap
from adapters.hl7v2.peers import CloseReason
from adapters.hl7v2.tls import client_context, server_context
from tests.adapters.hl7v2.listening import PATIENCE_S, Peer, house, on_both_loops, wire
from tests.adapters.hl7v2.support import discharge

ACK = b"MSH|^~\\&|A|B|C|D|20260105||ACK^A03^ACK|1|P|2.5.1\rMSA|AA|ZZ0001\r"


async def acknowledge(_: bytes, __: Peer) -> bytes:
    return ACK


class Papers:
    """A certificate authority, the server's papers and a client's."""

    def __init__(self, folder: Path) -> None:
        authority, server = trustme.CA(), "server.pem"
        self.authorities = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.authorities)
        issued = authority.issue_cert("localhost", "127.0.0.1")
        self.server_certificate, self.server_key = folder / server, folder / "server.key"
        issued.cert_chain_pems[0].write_to_path(self.server_certificate)
        issued.private_key_pem.write_to_path(self.server_key)
        client = authority.issue_cert("hospital.zz.invalid", common_name="ZZ Hospital")
        self.client_certificate, self.client_key = folder / "client.pem", folder / "client.key"
        client.cert_chain_pems[0].write_to_path(self.client_certificate)
        client.private_key_pem.write_to_path(self.client_key)
        stranger = trustme.CA()
        self.stranger_authorities = folder / "stranger.pem"
        stranger.cert_pem.write_to_path(self.stranger_authorities)
        strange = stranger.issue_cert("stranger.zz.invalid")
        self.stranger_certificate, self.stranger_key = folder / "stranger-client.pem", folder / "stranger.key"
        strange.cert_chain_pems[0].write_to_path(self.stranger_certificate)
        strange.private_key_pem.write_to_path(self.stranger_key)

    def server(self, *, demands_certificates: bool = False) -> ssl.SSLContext:
        return server_context(self.server_certificate, self.server_key, self.authorities if demands_certificates else None)

    def client(self, *, shows_certificate: bool = False) -> ssl.SSLContext:
        if shows_certificate:
            return client_context(self.authorities, self.client_certificate, self.client_key)
        return client_context(self.authorities)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@on_both_loops
async def test_messages_over_tls(papers: Papers) -> None:
    async with house(acknowledge, tls=papers.server()) as home, wire(home, papers.client()) as peer:
        for _ in range(20):
            assert await peer.ask(discharge()) == ACK
        assert home.opened[0].is_tls
        assert home.opened[0].certificate_sha256 is None


@on_both_loops
async def test_a_client_certificate_is_demanded_and_reported(papers: Papers) -> None:
    async with house(acknowledge, tls=papers.server(demands_certificates=True)) as home:
        async with wire(home, papers.client(shows_certificate=True)) as peer:
            assert await peer.ask(discharge()) == ACK
        der = x509.load_pem_x509_certificate(papers.client_certificate.read_bytes()).public_bytes(Encoding.DER)
        assert home.opened[0].certificate_sha256 == hashlib.sha256(der).hexdigest()
        assert home.opened[0].certificate_names == ("hospital.zz.invalid", "ZZ Hospital")


@pytest.mark.parametrize("shown", ["none", "stranger"])
async def test_without_a_trusted_client_certificate_nothing_is_answered(papers: Papers, shown: str) -> None:
    context = papers.client()
    if shown == "stranger":
        context = client_context(papers.authorities, papers.stranger_certificate, papers.stranger_key)
    async with house(acknowledge, tls=papers.server(demands_certificates=True)) as home:
        # With TLS 1.3 the client believes itself connected until it reads.
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            async with wire(home, context) as peer:
                await peer.ask(discharge())
        assert home.opened == []


async def test_a_client_does_not_trust_a_stranger_or_another_name(papers: Papers) -> None:
    async with house(acknowledge, tls=papers.server()) as home:
        for context, host in ((client_context(papers.stranger_authorities), "localhost"), (papers.client(), "127.0.0.2")):
            client = MllpClient(host, home.listener.port, tls=context, connect_timeout_s=PATIENCE_S)
            with pytest.raises(NotConnectedError):
                await client.send(discharge())


async def test_the_sender_speaks_tls(papers: Papers) -> None:
    async with (
        house(acknowledge, tls=papers.server(demands_certificates=True)) as home,
        MllpClient("127.0.0.1", home.listener.port, tls=papers.client(shows_certificate=True)) as client,
    ):
        assert (await client.send(discharge())).code == "AA"


async def test_old_protocols_are_refused(papers: Papers) -> None:
    context = papers.client()
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with house(acknowledge, tls=papers.server()) as home:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", home.listener.port, ssl=context, server_hostname="localhost")


async def test_a_plain_sender_at_a_tls_door_gets_no_answer(papers: Papers) -> None:
    async with house(acknowledge, tls=papers.server()) as home, wire(home) as peer:
        peer.writer.write(wrap(discharge()))
        assert b"MSA" not in await peer.closed()
        assert home.opened == []


@on_both_loops
async def test_shutdown_answers_what_is_in_flight_over_tls(papers: Papers) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def answer(_: bytes, __: Peer) -> bytes:
        began.set()
        await go.wait()
        return ACK

    async with house(answer, tls=papers.server()) as home, wire(home, papers.client()) as peer:
        await peer.send(wrap(discharge()))
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        closing = asyncio.create_task(home.listener.close(PATIENCE_S))
        await asyncio.sleep(0)
        go.set()
        assert await peer.frame() == ACK
        peer.writer.close()
        assert await asyncio.wait_for(closing, PATIENCE_S) == 0
        assert (await home.report()).reason is CloseReason.SHUTDOWN
