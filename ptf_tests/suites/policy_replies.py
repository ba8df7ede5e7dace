"""Replies of an allowed connection pass, whatever the policies of the other direction say (D12)."""

from harness.cluster import UDP, cluster, policy, service
from harness.conversation import ask, connect
from harness.packets import echo, tcp, translated
from harness.policy_base import PolicyTest
from harness.topology import POD1, POD2, REMOTE_B

VIP = "10.96.0.10"


class ClosedClientHearsItsAnswers(PolicyTest):
    """pod1 accepts nothing, pod2 opens nothing: pod1's connections to pod2 work, in every protocol."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2])
        dns = service("dns", "10.96.0.53", 53, [POD2], target_port=5353, protocol=UDP)
        policies = [policy("in", POD1, ingress=[]), policy("out", POD2, egress=[])]
        self.apply(cluster(web, dns, policies=policies))
        talk = connect(self, POD1, web, 52000)
        talk.to_client("PA", b"answer")
        talk.to_client("FA")
        ask(self, POD1, dns, 52000).to_client(payload=b"again")
        request, answer = echo(POD1, POD2, 9), echo(POD2, POD1, 9, reply=True)
        self.arrives(POD1, request, POD2)
        self.assert_pinned(request)
        self.arrives(POD2, answer, POD1)


class ButNotNewConnections(PolicyTest):
    """The same two pods: pod2 may not open a connection to pod1, although packets of that direction pass."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2])
        self.apply(cluster(web, policies=[policy("in", POD1, ingress=[])]))
        connect(self, POD1, web, 52100)
        self.refused(POD2, tcp(POD2, POD1, 8080, 52101, "S"), "policy_ingress")
        self.refused(POD2, tcp(POD2, POD1, 9, 52100, "S"), "policy_ingress")
        self.refused(POD2, echo(POD2, POD1, 10), "policy_ingress")


class AnswersWithoutAQuestion(PolicyTest):
    """A SYN/ACK or an echo reply out of the blue is no reply: the pod's policy judges it."""

    def runTest(self) -> None:
        self.apply(cluster(policies=[policy("in", POD1, ingress=[])]))
        for sender in (POD2, REMOTE_B):
            self.refused(sender, tcp(sender, POD1, 8080, 52200, "SA"), "policy_ingress")
            self.refused(sender, echo(sender, POD1, 11, reply=True), "policy_ingress")


class RepliesToARemoteClient(PolicyTest):
    """The client is behind the tunnel; the server may open nothing."""

    def runTest(self) -> None:
        self.apply(cluster(policies=[policy("out", POD2, egress=[])]))
        syn = tcp(REMOTE_B, POD2, 52300, 8080, "S")
        self.arrives(REMOTE_B, syn, POD2)
        self.assert_pinned(syn)
        answer = tcp(POD2, REMOTE_B, 8080, 52300, "SA")
        self.send(POD2, answer)
        self.expect(REMOTE_B, translated(answer))
