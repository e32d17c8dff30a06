"""One party of one phase of SecretFlow PSI: `secretflow.py PHASE holder|verifier DIR PORT PORT`, the holder's port first.

PHASE: `generate` (holder alone), `transfer` and `online` are UB-PSI, the library's unbalanced protocol: ECDH over FourQ, the holder's side
computed ahead and kept by both; `rr22` is its VOLE protocol, of which nothing is kept. DIR as in openmined.py. Parties talk by the library's own
link (brpc) on loopback.
"""

import os
import sys

import spu
from spu import psi
from spu.libspu import link, logging

from usage import Phase, say, tcp_bytes

HOUR_MS = 3_600_000
RANKS = {"holder": 0, "verifier": 1}


def connect(roles, role, ports):
    """The line between the parties; of one party where it works alone, since the library asks for a line all the same."""
    desc = link.Desc()
    desc.recv_timeout_ms = HOUR_MS
    desc.http_timeout_ms = HOUR_MS
    desc.connect_retry_times = 240
    desc.connect_retry_interval_ms = 250
    for name in roles:
        desc.add_party(name, f"127.0.0.1:{ports[RANKS[name]]}")
    return link.create_brpc(desc, RANKS[role])


def files(role, directory):
    """Ids are unique and the order of the result is of no interest: both spare the library a sort."""
    source = psi.InputParams(path=f"{directory}/{role}.csv", selected_keys=["id"], keys_unique=True)
    target = f"{directory}/found.csv" if role == "verifier" else f"{directory}/nothing.csv"
    return source, psi.OutputParams(path=target, disable_alignment=True)


def unbalanced(phase, role, directory):
    modes = {
        "generate": psi.UbPsiMode.MODE_OFFLINE_GEN_CACHE,
        "transfer": psi.UbPsiMode.MODE_OFFLINE_TRANSFER_CACHE,
        "online": psi.UbPsiMode.MODE_ONLINE,
    }
    source, target = files(role, directory)
    key = f"{directory}/holder.key"
    if role == "holder" and not os.path.exists(key):
        with open(key, "wb") as file:
            file.write(os.urandom(32))
    return psi.UbPsiExecuteConfig(
        mode=modes[phase],
        role=psi.UbPsiRole.ROLE_SERVER if role == "holder" else psi.UbPsiRole.ROLE_CLIENT,
        server_receive_result=False,
        client_receive_result=True,
        cache_path=f"{directory}/cache-{role}",
        input_params=source,
        output_params=target,
        server_params=psi.UbPsiServerParams(secret_key_path=key),
    )


def rr22(role, directory):
    source, target = files(role, directory)
    protocol = psi.PsiProtocolConfig(
        protocol=psi.PsiProtocol.PROTOCOL_RR22,
        receiver_rank=RANKS["verifier"],
        broadcast_result=False,
        rr22_params=psi.Rr22Rarams(low_comm_mode=False),
    )
    return psi.PsiExecuteConfig(protocol_conf=protocol, input_params=source, output_params=target)


def main(phase, role, directory, ports):
    options = logging.LogOptions()
    options.log_level = logging.LogLevel.WARN
    options.system_log_path = f"{directory}/spu.log"
    options.trace_log_path = f"{directory}/spu-trace.log"
    logging.setup_logging(options)
    line = connect(["holder"] if phase == "generate" else list(RANKS), role, ports)
    with Phase() as measured:
        if phase == "rr22":
            psi.psi_execute(rr22(role, directory), line)
        else:
            psi.ub_psi_execute(unbalanced(phase, role, directory), line)
    bytes_of = tcp_bytes()
    line.stop_link()
    others = {}
    if bytes_of is not None and role == "verifier":
        others["bytes"] = {"to_holder": bytes_of[0], "to_verifier": bytes_of[1]}
    parameters = {"protocol": "RR22", "low_comm_mode": False, "bucket_size": 1 << 20}
    if phase != "rr22":
        parameters = {"protocol": "UB-PSI", "curve": "FourQ"}
    say({"version": spu.__version__, "parameters": parameters, "phases": {phase: measured.report(**others)}})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], [int(port) for port in sys.argv[4:6]])
