"""NodePort: a client outside dials the node's own address; the endpoint answers as the node."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import CLIENT, NODE, POD2, POD3, REMOTE_B


class ClientDialsTheNode(LbTest):
    """CLIENT -> node:30080 -> an endpoint, local or on another node, and back."""

    def runTest(self) -> None:
        web = service("web", "10.96.0.22", 80, [POD2, POD3, REMOTE_B], node_port=30080)
        self.apply(cluster(web))

        for port in range(50000, 50010):
            syn = tcp(CLIENT, NODE, port, 30080)
            server = chosen(web, syn, self.target)
            self.send(CLIENT, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
            self.assert_pinned(syn)

            answer = tcp(server, CLIENT, 8080, port, "SA")
            self.send(server, answer)
            self.expect(CLIENT, translated(answer, src=NODE.ip, sport=30080))


class OtherPortsStayTheNodes(LbTest):
    """What is no NodePort reaches the node itself: only the link layer changes, the node is no hop."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", "10.96.0.22", 80, [POD2], node_port=30080)))

        ssh = tcp(CLIENT, NODE, 50100, 22)
        self.send(CLIENT, ssh)
        self.expect(NODE, translated(ssh, hops=0))
