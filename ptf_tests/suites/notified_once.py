"""The control plane hears of every flow that expires, once, and of none that does not (T23)."""

from collections import Counter

from harness.cluster import UDP, cluster, service
from harness.conversation import conversation
from harness.lb_base import LbTest
from harness.topology import POD1, POD2, POD3, five_tuple

DNS = service("dns", "10.96.0.53", 53, [POD2, POD3], target_port=5353, protocol=UDP)


class OneNoticePerEntry(LbTest):
    """Thirty flows learned together; ten of them go on: twenty pairs expire, each entry is told of once."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(DNS))
        talks = [conversation(self, POD1, DNS, sport) for sport in range(59000, 59030)]
        for talk in talks:
            talk.to_server()
        self.assert_pinned(*(talk.request() for talk in talks))
        self.advance(100)
        for talk in talks[:10]:
            talk.to_server()
            talk.to_client()
        self.assertEqual(self.environment.transport.idle_notices(), [])

        self.advance(25)
        self.assert_unknown(*(talk.request() for talk in talks[10:]))
        self.assert_pinned(*(talk.request() for talk in talks[:10]))
        gone = [five_tuple(packet) for talk in talks[10:] for packet in (talk.request(), talk.response())]
        self.assertEqual(Counter(self.environment.transport.idle_notices()), Counter(gone))

        # Not a thousand seconds at once: an entry nobody deletes is told of again (P4Runtime 16.4), and the
        # control plane deletes between two steps of the clock.
        self.advance(100)
        self.advance(900)
        told = Counter(self.environment.transport.idle_notices())
        self.assertEqual(set(told.values()), {1})
        self.assertEqual(len(told), 60)
