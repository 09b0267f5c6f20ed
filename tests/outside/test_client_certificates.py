"""A feed that lists client certificates takes messages over TLS with one of them, and by no other way of MLLP. Real processes, real TLS."""

import hashlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.hl7v2.client import MllpClient
from adapters.hl7v2.tls import client_context
from tests.support.service import make_exchange, running_service, visit

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short, and open to the account that the embedded server runs as.
    with TemporaryDirectory(prefix="hc-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def paper(folder: Path, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def fingerprint(certificate: Path) -> str:
    return hashlib.sha256(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)).hexdigest()


async def code_of(port: int, number: int, tls: ssl.SSLContext | None) -> str:
    async with MllpClient("127.0.0.1", port, tls=tls) as client:
        return (await client.send(visit(number))).code


async def test_only_the_certificate_of_the_profile_may_send(folder: Path) -> None:
    authority = trustme.CA()
    authorities = folder / "ca.pem"
    authority.cert_pem.write_to_path(authorities)
    server = paper(folder, "server", authority.issue_cert("localhost", "127.0.0.1"))
    hospital = paper(folder, "hospital", authority.issue_cert("hospital.zz.invalid"))
    neighbour = paper(folder, "neighbour", authority.issue_cert("neighbour.zz.invalid"))
    tls = {"certificate_file": str(server[0]), "key_file": str(server[1]), "client_authority_file": str(authorities)}
    listeners = [{"host": "127.0.0.1", "port": 0, "tls": tls}, {"host": "127.0.0.1", "port": 0}]
    async with running_service(folder, variables={"HANDOFF_MLLP_LISTENERS": json.dumps(listeners)}) as service:
        await make_exchange(service)
        async with service.client() as operator:
            feed = (await operator.get("/v1/feeds")).json()["items"][0]["id"]
            profile = {"profile": {"client_certificates": [fingerprint(hospital[0])]}}
            assert (await operator.patch(f"/v1/feeds/{feed}", json=profile)).status_code == 200
        secured, plain = service.mllp_ports
        own, other = (client_context(authorities, *papers) for papers in (hospital, neighbour))
        assert await code_of(secured, 1, own) == "AA"
        assert await code_of(secured, 2, other) == "AR"
        assert await code_of(plain, 3, None) == "AR"
        # Who was refused for the way it sent is heard when it sends the same bytes as it should.
        assert await code_of(secured, 3, own) == "AA"
