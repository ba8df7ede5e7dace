"""Manifests and node files: what is read, and one clear sentence for each thing that is wrong (golden)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbctl.errors import ManifestError
from lbctl.kube import load_manifests
from lbctl.model import Name, Protocol
from lbctl.nodefile import load_node_config

SHOP = Path(__file__).parent.parent / "manifests" / "shop"

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.7
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
"""
SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.1.0.1]}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.1.0.1}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
    ports: [{port: 80, endPort: 90}]
"""
NODE = """\
apiVersion: lbctl/v1
kind: NodeConfig
node: node-a
vtep: {ip: 192.168.0.1, mac: "02:00:00:00:0a:01", vni: 7}
uplink: {port: 0}
host: {port: 15}
pods: [{pod: shop/web-0, port: 1, mac: "02:00:00:00:01:01"}]
peers: [{node: node-b, vtep: 192.168.0.2, mac: "02:00:00:00:0a:02", podCIDR: 10.1.2.0/24}]
"""


def write(folder: Path, *documents: str) -> Path:
    path = folder / "x.yaml"
    path.write_text("---\n".join(documents))
    return path


def sentence(folder: Path, *documents: str) -> str:
    path = write(folder, *documents)
    with pytest.raises(ManifestError) as caught:
        load_manifests([path])
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(path), "x.yaml")


WRONG: list[tuple[str, list[str], str]] = [
    (
        "wrong kind",
        [SERVICE, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"],
        "x.yaml: document 2, Deployment shop/web: Deployment is a kind lbctl does not read (it reads "
        "Service, "
        "EndpointSlice, Pod, Node, Namespace, NetworkPolicy); remove it",
    ),
    (
        "no kind",
        ["a: 1\n"],
        "x.yaml: document 1 is no Kubernetes object (it has no `kind`); write what `kubectl get -o yaml` "
        "prints",
    ),
    (
        "not YAML",
        ["kind: Service\n  spec: [\n"],
        "x.yaml: is not YAML at line 2, column 7: mapping values are not allowed in this context; "
        "correct that line",
    ),
    (
        "a key twice",
        ["kind: Service\nspec: {}\nkind: Pod\n"],
        "x.yaml: is not YAML at line 3, column 1: the key 'kind' stands twice in one mapping; "
        "correct that line",
    ),
    (
        "old API version",
        [SLICE.replace("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")],
        "x.yaml: document 1, EndpointSlice shop/web-x: apiVersion is 'discovery.k8s.io/v1beta1', not "
        "discovery.k8s.io/v1; convert it with `kubectl get -o yaml`",
    ),
    (
        "port out of range",
        [SERVICE.replace("port: 80,", "port: 65536,")],
        "x.yaml: document 1, Service shop/web: spec.ports[0].port is 65536, outside 1..65535; "
        "write a number in that range",
    ),
    (
        "port is text",
        [SERVICE.replace("port: 80,", "port: eighty,")],
        "x.yaml: document 1, Service shop/web: spec.ports[0].port is 'eighty', not a number; write one "
        "from 1 to "
        "65535",
    ),
    (
        "no address",
        [SERVICE.replace("10.96.0.7", "10.96.0.777")],
        "x.yaml: document 1, Service shop/web: spec.clusterIPs[0] is '10.96.0.777', not an IPv4 address; "
        "write one "
        "like 10.0.0.1",
    ),
    (
        "no cluster IP",
        [SERVICE.replace("  clusterIP: 10.96.0.7\n", "")],
        "x.yaml: document 1, Service shop/web: spec.clusterIP is missing; apply the Service to a cluster "
        "and take "
        "`kubectl get -o yaml`",
    ),
    (
        "slice without service",
        [SLICE],
        "x.yaml: document 1, EndpointSlice shop/web-x: belongs to Service shop/web, which is not given; "
        "add the "
        "Service or remove the slice",
    ),
    (
        "slice without label",
        [SLICE.replace("kubernetes.io/service-name", "x")],
        "x.yaml: document 1, EndpointSlice shop/web-x: has no label kubernetes.io/service-name; add it, "
        "or remove "
        "the EndpointSlice",
    ),
    (
        "slice lacks the port",
        [SERVICE, SLICE.replace("name: http, port", "name: https, port")],
        "x.yaml: document 2, EndpointSlice shop/web-x: has no port for port http/TCP of Service "
        "shop/web; add it to "
        "`ports` under the Service port's name",
    ),
    (
        "duplicate VIP",
        [SERVICE, SERVICE.replace("name: web,", "name: other,")],
        "x.yaml: document 2, Service shop/other: 10.96.0.7:80/TCP is already taken by x.yaml: document "
        "1, Service "
        "shop/web; change one of the addresses or ports",
    ),
    (
        "duplicate object",
        [SERVICE, SERVICE],
        "x.yaml: document 2, Service shop/web: was already given at x.yaml: document 1, Service "
        "shop/web; keep one "
        "of the two",
    ),
    (
        "targetPort name unresolved",
        [SERVICE.replace("targetPort: 8080", "targetPort: www"), POD],
        "x.yaml: document 1, Service shop/web: targetPort 'www' (TCP) names no container port of the 1 "
        "selected "
        "pods (such as shop/web-0); name one, or write the number",
    ),
    (
        "except outside",
        [POLICY.replace("10.1.0.0/16", "11.0.0.0/8")],
        "x.yaml: document 1, NetworkPolicy shop/np: spec.ingress[0].from[0].ipBlock.except[0] lies outside "
        "10.0.0.0/8; write a CIDR within it",
    ),
    (
        "endPort below port",
        [POLICY.replace("endPort: 90", "endPort: 79")],
        "x.yaml: document 1, NetworkPolicy shop/np: spec.ingress[0].ports[0].endPort is 79, below port "
        "80; write "
        "them in order",
    ),
    (
        "to in an ingress rule",
        [POLICY.replace("- from:", "- to:")],
        "x.yaml: document 1, NetworkPolicy shop/np: spec.ingress[0] has the unknown field 'to'; write "
        "from or ports",
    ),
    (
        "unknown operator",
        [POLICY.replace("podSelector: {}", "podSelector: {matchExpressions: [{key: a, operator: Is}]}")],
        "x.yaml: document 1, NetworkPolicy shop/np: spec.podSelector.matchExpressions[0].operator is "
        "'Is'; write "
        "one of In, NotIn, Exists, DoesNotExist",
    ),
    (
        "pod address taken twice",
        [POD, POD.replace("web-0", "web-1")],
        "x.yaml: document 2, Pod shop/web-1: status.podIP 10.1.0.1 is also that of x.yaml: document 1, Pod "
        "shop/web-0; correct one of the two",
    ),
    (
        "wrong item of a list",
        ["kind: List\nitems: [{kind: Service}]\n"],
        "x.yaml: document 1 item 1, Service default/?: metadata.name is missing; write a name",
    ),
]


@pytest.mark.parametrize(("documents", "golden"), [pytest.param(d, g, id=i) for i, d, g in WRONG])
def test_each_mistake_has_its_sentence(tmp_path: Path, documents: list[str], golden: str) -> None:
    assert sentence(tmp_path, *documents).replace(str(tmp_path / "x.yaml"), "x.yaml") == golden


WRONG_NODES = [
    (
        "other kind",
        SERVICE,
        "x.yaml: is not a node file; write one document of `kind: NodeConfig` (docs/lbctl.md)",
    ),
    (
        "one port twice",
        NODE.replace("port: 1,", "port: 15,"),
        "x.yaml: document 1, NodeConfig node-a: port 15 is given to the host and to pod shop/web-0; give "
        "each its "
        "own port",
    ),
    (
        "unquoted MAC",
        NODE.replace('"02:00:00:00:0a:01"', "1:2:3"),
        "x.yaml: document 1, NodeConfig node-a: vtep.mac is 3723, not a MAC address; write one like "
        '"02:00:00:00:00:01", in quotes',
    ),
    (
        "VNI too wide",
        NODE.replace("vni: 7", "vni: 16777216"),
        "x.yaml: document 1, NodeConfig node-a: vtep.vni is 16777216, outside 1..16777215; write a "
        "number in that "
        "range",
    ),
    (
        "unknown field",
        NODE + "vlan: 3\n",
        "x.yaml: document 1, NodeConfig node-a: has the unknown field 'vlan'; write one of apiVersion, "
        "gateway, "
        "host, kind, metadata, node, nodeIPs, peers, podCIDR, pods, uplink, vtep",
    ),
    (
        "peer is itself",
        NODE.replace("node: node-b", "node: node-a"),
        "x.yaml: document 1, NodeConfig node-a: peer node-a is this node itself; list only the other nodes",
    ),
    (
        "another version",
        NODE.replace("lbctl/v1", "lbctl/v2"),
        "x.yaml: document 1, NodeConfig node-a: apiVersion is 'lbctl/v2'; write lbctl/v1",
    ),
    (
        "two nodes with the same pods",
        NODE + "podCIDR: 10.1.0.0/16\n",
        "x.yaml: document 1, NodeConfig node-a: podCIDR 10.1.2.0/24 of peer node-b overlaps 10.1.0.0/16 "
        "of this node; give each node its own",
    ),
]


@pytest.mark.parametrize(("text", "golden"), [pytest.param(t, g, id=i) for i, t, g in WRONG_NODES])
def test_each_mistake_in_a_node_file_has_its_sentence(tmp_path: Path, text: str, golden: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        load_node_config(path)
    assert str(caught.value).replace(str(path), "x.yaml") == golden


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nope\.yaml: cannot be read \(No such file"):
        load_manifests([tmp_path / "nope.yaml"])
    with pytest.raises(ManifestError, match=r"holds no \.yaml"):
        load_manifests([tmp_path])


def test_a_chosen_affinity_timeout_is_told_to_be_unused(tmp_path: Path) -> None:
    """Kubernetes fills in 10800 by itself; another time is somebody's wish."""
    for seconds, told in ((10_800, 0), (60, 1)):
        sticky = SERVICE.replace(
            "clusterIP: 10.96.0.7",
            "clusterIP: 10.96.0.7\n  sessionAffinity: ClientIP\n  sessionAffinityConfig: "
            f"{{clientIP: {{timeoutSeconds: {seconds}}}}}",
        )
        warnings = load_manifests([write(tmp_path, sticky, SLICE)]).warnings
        assert sum("timeoutSeconds 60 is not used; affinity lasts" in w for w in warnings) == told


def test_ipv6_and_sctp_are_one_warning_each_and_skipped(tmp_path: Path) -> None:
    dual = SERVICE.replace("clusterIP: 10.96.0.7", "clusterIPs: [10.96.0.7, 'fd00::7']").replace(
        "targetPort: 8080}", "targetPort: 8080}\n  - {name: sctp, port: 81, protocol: SCTP}"
    )
    cluster = load_manifests(
        [write(tmp_path, dual, SLICE, SLICE.replace("IPv4", "IPv6").replace("web-x", "web-6"))]
    )
    assert [port.name for port in cluster.services[0].ports] == ["http"]
    assert len(cluster.services[0].cluster_ips) == 1
    assert len(cluster.slices) == 1
    assert len(cluster.warnings) == 3
    assert all("not balanced; skipped" in w or "not IPv4; skipped" in w for w in cluster.warnings)


def test_conditions_default_as_the_api_says(tmp_path: Path) -> None:
    text = SLICE.replace(
        "endpoints: [{addresses: [10.1.0.1]}]",
        "endpoints:\n- {addresses: [10.1.0.1], conditions: {ready: null}}\n"
        "- {addresses: [10.1.0.2], conditions: {ready: false}}\n"
        "- {addresses: [10.1.0.3], conditions: {ready: false, serving: true, terminating: true}}\n",
    )
    found = load_manifests([write(tmp_path, SERVICE, text)]).slices[0].endpoints
    assert [(e.ready, e.serving, e.terminating) for e in found] == [
        (True, True, False),
        (False, False, False),
        (False, True, True),
    ]


def test_a_finished_pod_has_no_address_and_an_annotation_gives_weight(tmp_path: Path) -> None:
    done = POD.replace("web-0", "job").replace("{podIP: 10.1.0.1}", "{podIP: 10.1.0.1, phase: Succeeded}")
    heavy = POD.replace("labels:", "annotations: {lbctl/weight: '3'}, labels:")
    target = SLICE.replace("[10.1.0.1]}", "[10.1.0.1], targetRef: {kind: Pod, name: web-0, namespace: shop}}")
    cluster = load_manifests([write(tmp_path, SERVICE, target, done, heavy)])
    assert {pod.name.name: pod.ip for pod in cluster.pods} == {"job": None, "web-0": 0x0A010001}
    assert cluster.slices[0].endpoints[0].weight == 3


def test_the_order_of_documents_does_not_matter(tmp_path: Path) -> None:
    first = load_manifests([write(tmp_path, SERVICE, SLICE, POD, POLICY)])
    assert load_manifests([write(tmp_path, POLICY, POD, SLICE, SERVICE)]) == first


def test_the_shop_is_read_as_kubectl_printed_it() -> None:
    cluster = load_manifests([SHOP])
    assert cluster.warnings == ()
    assert len(cluster.services) == 14
    by_name = {service.name: service for service in cluster.services}
    assert by_name[Name("shop", "cart")].client_ip_affinity
    assert by_name[Name("shop", "postgres")].headless
    assert by_name[Name("shop", "payment")].internal_local
    assert by_name[Name("shop", "frontend")].load_balancer_ips == (0xCB00710A,)
    assert {port.protocol for port in by_name[Name("kube-system", "kube-dns")].ports} == set(Protocol)
    assert [node.name for node in cluster.nodes] == ["node-a", "node-b", "node-c"]
    assert len(cluster.policies) == 6


def test_the_shops_node_file_wires_eight_pods() -> None:
    node = load_node_config(SHOP / "node-a.yaml")
    assert [pod.port for pod in node.pods] == list(range(1, 9))
    assert (node.uplink_port, node.host_port, len(node.peers)) == (0, 15, 2)
