"""A policy that changes meets connections that are already there."""

from harness.cluster import allow, cluster, policy, service
from harness.conversation import connect
from harness.policy_base import PolicyTest
from harness.topology import POD1, POD2, REMOTE_B

WEB = service("web", "10.96.0.10", 80, [POD2])


class EstablishedConnectionIsCutOff(PolicyTest):
    """The server's ingress closes: the client's next packet is refused. It opens: the connection goes on."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for client in (POD1, REMOTE_B):
            talk = connect(self, client, WEB, 54000)
            talk.to_server("PA", b"before")
            self.apply(cluster(WEB, policies=[policy("shut", POD2, ingress=[])]))
            self.send(client, talk.request("PA", b"while shut"))
            self.expect_drop("policy_ingress")
            self.apply(cluster(WEB, policies=[policy("shut", POD2, ingress=[allow(ports=[8080])])]))
            talk.to_server("PA", b"after")
            talk.to_client("PA", b"after")
            self.apply(cluster(WEB))


class EgressCloses(PolicyTest):
    """The client's egress closes: what it sends is refused, what it is still being told arrives."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 54100)
        self.apply(cluster(WEB, policies=[policy("shut", POD1, egress=[])]))
        self.send(POD1, talk.request("PA", b"while shut"))
        self.expect_drop("policy_egress")
        talk.to_client("PA", b"the rest of the answer")
        self.apply(cluster(WEB))
        talk.to_server("PA", b"after")
