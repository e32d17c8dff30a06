"""The peers' side of `oblink-benches compare`; needs nothing but Python's standard library.

    peers.py prepare VENV PEER …     makes the virtual environment, installs the wheels; a JSON line a peer
    peers.py run VENV PEER DIR       both parties of a peer on DIR/holder.csv and DIR/verifier.csv; one JSON line

A peer that cannot be had or does not work is {"peer": …, "skipped": why}: that is no failure of this program.
Wheels are downloaded by `prepare` alone, in the versions and with the hashes of the *.txt files beside it.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
# What to install for a peer, and what must load then.
WHEELS = {
    "openmined": ("openmined.txt", "import private_set_intersection.python"),
    "ub_psi": ("secretflow.txt", "from spu import psi; from spu.libspu import link; psi.UbPsiMode.MODE_ONLINE"),
    "rr22": ("secretflow.txt", "from spu import psi; from spu.libspu import link; psi.PsiProtocol.PROTOCOL_RR22"),
}
# A party that has not ended after this long never will.
PARTY_S_MAX = 4 * 3600


class Skip(Exception):
    """Why a peer cannot take part."""


def last_line(text):
    """What a program that failed had to say, in a line: the last that speaks of an error, but for warnings."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
    errors = [line.removeprefix("ERROR: ") for line in lines if "rror" in line or line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1][:300]


def python_of(environment):
    return os.path.join(environment, "bin", "python")


def loads(environment, peer):
    return subprocess.run([python_of(environment), "-c", WHEELS[peer][1]], capture_output=True, text=True, check=False)


def prepare(environment, peers):
    if not os.path.exists(python_of(environment)):
        venv.create(environment, with_pip=True, symlinks=True)
    for peer in peers:
        try:
            make_ready(environment, peer)
            report = {"peer": peer, "ready": True}
        except Skip as why:
            report = {"peer": peer, "skipped": str(why)}
        print(json.dumps(report), flush=True)


def make_ready(environment, peer):
    if sys.platform != "linux":
        raise Skip("processor time, memory and bytes are taken as Linux gives them")
    if loads(environment, peer).returncode == 0:
        return
    wheels = os.path.join(HERE, WHEELS[peer][0])
    command = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Only wheels: nothing of theirs is built, and nothing runs while it is installed.
    command += ["--only-binary", ":all:", "--require-hashes", "--retries", "1", "--timeout", "30", "-r", wheels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"its wheel cannot be installed for Python {sys.version_info[0]}.{sys.version_info[1]}: {last_line(done.stderr)}")
    done = loads(environment, peer)
    if done.returncode != 0:
        raise Skip(f"its wheel does not load: {last_line(done.stderr) if done.returncode > 0 else 'ended by a signal'}")


def free_ports(count):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in taken]
    for listener in taken:
        listener.close()
    return ports


def together(commands, directory):
    """Runs the parties of a phase at once; what each printed, and the processor time of its whole process."""
    parties = {}
    for role, command in commands.items():
        output, errors = (tempfile.TemporaryFile() for _ in range(2))
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=directory)
        parties[role] = (child, output, errors)
    reports, deadline = {}, time.monotonic() + PARTY_S_MAX
    try:
        while len(reports) < len(parties):
            for role, (child, output, errors) in parties.items():
                if role in reports:
                    continue
                pid, status, use = os.wait4(child.pid, os.WNOHANG)
                if pid == 0:
                    continue
                child.returncode = os.waitstatus_to_exitcode(status)
                output.seek(0)
                errors.seek(0)
                if child.returncode != 0:
                    raise Skip(f"its {role} failed: {last_line(errors.read().decode(errors='replace'))}")
                lines = output.read().decode().splitlines()
                reports[role] = json.loads(lines[-1])
                reports[role]["process_cpu_s"] = use.ru_utime + use.ru_stime
            if time.monotonic() > deadline:
                raise Skip(f"it took more than {PARTY_S_MAX} s")
            time.sleep(0.02)
    finally:
        for child, output, errors in parties.values():
            if child.returncode is None:
                child.kill()
                child.wait()
            output.close()
            errors.close()
    return reports


def secretflow_phase(python, phase, directory):
    roles = ("holder",) if phase == "generate" else ("holder", "verifier")
    ports = [str(port) for port in free_ports(2)]
    script = os.path.join(HERE, "secretflow.py")
    return together({role: [python, script, phase, role, directory, *ports] for role in roles}, directory)


def openmined_phase(python, directory):
    port = str(free_ports(1)[0])
    script = os.path.join(HERE, "openmined.py")
    return together({role: [python, script, role, directory, port] for role in ("holder", "verifier")}, directory)


def merged(steps):
    """One object of all steps of a peer: {phase: {role: figures}}, beside the version and the parameters."""
    phases, process_cpu_s, whole = {}, {}, {}
    for reports in steps:
        for role, report in reports.items():
            for phase, figures in report["phases"].items():
                phases.setdefault(phase, {})[role] = figures
            process_cpu_s[role] = process_cpu_s.get(role, 0.0) + report["process_cpu_s"]
            whole.setdefault("parameters", report.get("parameters"))
            whole["version"] = report["version"]
    return {**whole, "phases": phases, "process_cpu_s": process_cpu_s}


def read_ids(path):
    """The ids of a file: the column `id`, which is the first or the only one."""
    with open(path, encoding="ascii") as lines:
        column = next(lines).strip().replace('"', "").split(",").index("id")
        for line in lines:
            yield line.strip().replace('"', "").split(",")[column]


def judged(directory):
    """How many ids were found, and whether they are those that both files have."""
    asked = set(read_ids(f"{directory}/verifier.csv"))
    expected = asked.intersection(read_ids(f"{directory}/holder.csv"))
    found = list(read_ids(f"{directory}/found.csv"))
    return {"intersection": len(found), "exact": len(found) == len(expected) and set(found) == expected}


GIVEN = ("holder.csv", "verifier.csv")


def clean(directory):
    """Removes what a run has made: before it there was nothing but what it was given."""
    for name in os.listdir(directory):
        if name not in GIVEN:
            path = os.path.join(directory, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def run(environment, peer, directory):
    directory, python = os.path.abspath(directory), python_of(os.path.abspath(environment))
    if not set(os.listdir(directory)) <= set(GIVEN):
        sys.exit("the directory must hold holder.csv and verifier.csv and nothing else: what a run makes in it is removed")
    try:
        if peer == "openmined":
            steps = [openmined_phase(python, directory)]
        else:
            phases = ("generate", "transfer", "online") if peer == "ub_psi" else ("rr22",)
            steps = [secretflow_phase(python, phase, directory) for phase in phases]
        report = {"peer": peer, **merged(steps), **judged(directory)}
    except Skip as why:
        report = {"peer": peer, "skipped": str(why)}
    except Exception as why:  # Whatever a peer does, the others' figures must not be lost.
        report = {"peer": peer, "skipped": f"{type(why).__name__}: {why}".splitlines()[0]}
    clean(directory)
    print(json.dumps(report), flush=True)


def main(arguments):
    match arguments:
        case ["prepare", environment, *peers] if set(peers) <= set(WHEELS):
            prepare(os.path.abspath(environment), peers)
        case ["run", environment, peer, directory] if peer in WHEELS:
            run(environment, peer, directory)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
