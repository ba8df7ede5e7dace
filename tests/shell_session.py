"""What a user types into p4runtime-shell, as a script, run in the shell's own environment by its test.

In: the server's address, the file of the P4Info and the artifact. Out, on stdout: "listening" when packets
and time may come, then one JSON object of what the shell saw.
"""

import json
import sys

import p4runtime_sh.shell as sh  # type: ignore[import-not-found]  # in an environment of its own

SECONDS = 20


def main(address: str, p4info: str, artifact: str) -> None:
    seen: dict[str, object] = {}
    sh.setup(
        device_id=1,
        grpc_addr=address,
        election_id=(0, 1),
        config=sh.FwdPipeConfig(p4info, artifact),
        verbose=False,
    )
    seen["version"] = str(sh.APIVersion())
    seen.update(entries())
    seen.update(objects())
    seen["digest"] = digest_config()
    seen.update(stream())
    sh.teardown()
    print(json.dumps(seen))


def entries() -> dict[str, object]:
    entry = sh.TableEntry("Switch.l2")(action="Switch.forward")
    entry.match["dst"] = "00:00:00:00:00:01"
    entry.action["port"] = "3"
    entry.idle_timeout_ns = 5_000_000_000
    entry.insert()
    seen: dict[str, object] = {"read": [str(e.action["port"]) for e in sh.TableEntry("Switch.l2").read()]}
    try:
        entry.insert()
    except Exception as error:
        seen["twice"] = str(error)
    acl = sh.TableEntry("Switch.acl")(action="Switch.drop", priority=7)
    acl.match["src"] = "10.0.0.0&&&255.0.0.0"
    acl.match["dport"] = "80..90"
    acl.insert()
    seen["acl"] = [e.priority for e in sh.TableEntry("Switch.acl").read()]
    entry.action = sh.Action("Switch.drop")
    entry.modify()
    entry.delete()
    seen["left"] = len(list(sh.TableEntry("Switch.l2").read()))
    return seen


def objects() -> dict[str, object]:
    member = sh.ActionProfileMember("Switch.ecmp_selector")(member_id=1, action="Switch.route_to")
    member.action["port"], member.action["dmac"] = "1", "00:00:00:00:00:02"
    member.insert()
    group = sh.ActionProfileGroup("Switch.ecmp_selector")(group_id=1)
    group.add(1)
    group.insert()
    tree = sh.MulticastGroupEntry(1)
    tree.add(1, 1).add(2, 1)
    tree.insert()
    session = sh.CloneSessionEntry(5)
    session.add(510, 1)
    session.insert()
    cell = sh.CounterEntry("Switch.port_counter")
    cell.index = 3
    cell.packet_count = 9
    cell.modify()
    read = sh.CounterEntry("Switch.port_counter")
    read.index = 3
    return {
        "members": len(list(sh.ActionProfileMember("Switch.ecmp_selector").read())),
        "groups": len(list(sh.ActionProfileGroup("Switch.ecmp_selector").read())),
        "replicas": [[r.egress_port for r in t.replicas] for t in sh.MulticastGroupEntry().read()],
        "clones": [s.session_id for s in sh.CloneSessionEntry().read()],
        "counter": [c.packet_count for c in read.read()],
    }


def digest_config() -> int:
    digest = sh.DigestEntry("mac_learn_t")
    digest.max_list_size = 4
    digest.insert()
    return int(next(iter(sh.DigestEntry("mac_learn_t").read())).max_list_size)


def stream() -> dict[str, object]:
    entry = sh.TableEntry("Switch.l2")(action="Switch.to_cpu")
    entry.match["dst"] = "00:00:00:00:00:aa"
    entry.action["reason"] = "9"
    entry.idle_timeout_ns = 5_000_000_000
    entry.insert()
    packets, digests, idle = sh.PacketIn(), sh.DigestList(), sh.IdleTimeoutNotification()
    print("listening", flush=True)
    packet = packets.packet_in_queue.get(timeout=SECONDS).packet
    digest = digests.digest_list_queue.get(timeout=SECONDS).digest
    notification = idle.notification_queue.get(timeout=SECONDS).idle_timeout_notification
    return {
        "packet_in": [list(packet.payload), [list(m.value) for m in packet.metadata]],
        "digest_data": [list(m.bitstring) for m in digest.data[0].struct.members],
        "idle": [list(e.match[0].exact.value) for e in notification.table_entry],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
